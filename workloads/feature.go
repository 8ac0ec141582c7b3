package workloads

// Feature is something that not every SUT can do, or not every machine: a scenario names those that it needs.
type Feature string

// The features.
const (
	IPv6               Feature = "ipv6"
	NetworkPolicies    Feature = "network-policy"
	AdminPolicies      Feature = "admin-network-policy" // AdminNetworkPolicy and BaselineAdminNetworkPolicy
	ClusterPolicies    Feature = "cluster-network-policy"
	ForgetsConnections Feature = "forgets-connections" // it removes the kernel's connection tracking of addresses that its pods lose
	Routing            Feature = "routing to pods"     // it alone can know to which pod an address leads
	OwnWay             Feature = "way of its own to the API server"
	Restarts           Feature = "restart of the agent" // someone stops and starts its program for the driver
	PodNetwork         Feature = "network of pods"      // it is an agent of the node: what it does holds for packets between pods
	ProxiedRequests    Feature = "proxied requests"     // requests that reach the node are passed on to pods
	RouteStatus        Feature = "status of routes"     // it says in the status of routes that they are served
	Services           Feature = "services"             // it looks at Services and their endpoints
	RequestRouting     Feature = "request-routing"      // it routes requests as routes of one API say at least
	HTTPRouting        Feature = "http-routing"         // it routes requests as Ingresses say
	HTTPProxies        Feature = "http-proxy"           // it routes requests as HTTPProxies say
	GatewayRoutes      Feature = "gateway-routes"       // it routes requests as HTTPRoutes of the Gateway API say
	ProxyConfig        Feature = "proxy-configuration"  // what it makes is the configuration of a proxy, which is read in the proxy's place
	Upgrades           Feature = "change of release"    // someone starts it in another release for the driver
)
