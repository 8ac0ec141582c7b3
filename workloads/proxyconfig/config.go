// Package proxyconfig holds the configuration of an HTTP proxy as plain data, and what a proxy that has it does with a request, by Envoy's rules.
//
// It owns listeners, route tables, clusters and endpoints, which of them are in use, and the match of a request. It knows neither the protocol
// by which a configuration comes nor who made it. Everything is data that is never changed once it is made, and pure functions of it.
package proxyconfig

import (
	"net/netip"
	"time"
)

// Kind is one of the kinds of resources that a configuration consists of.
type Kind string

// The kinds, as the protocol abbreviates them.
const (
	Listeners Kind = "LDS"
	Tables    Kind = "RDS"
	Clusters  Kind = "CDS"
	Endpoints Kind = "EDS"
	Secrets   Kind = "SDS"
)

// Stamp says with which push a resource came.
type Stamp struct {
	Version string    // as who sent it counts
	At      time.Time // when it had arrived
}

// Push is what a control plane sent at once.
type Push struct {
	Kind    Kind
	Stamp   Stamp
	Config  *Config // in use after it
	Refused string  // why it was refused, so that all stays as it was; empty: it was accepted
}

// Config is what a proxy has in use at one time. Its maps are never written once it is made.
type Config struct {
	Listeners map[string]*Listener
	Tables    map[string]*Table
	Clusters  map[string]*Cluster
	Endpoints map[string]*Assignment // by the name that a cluster asks for, see Cluster.Service
	Secrets   map[string]*Secret
}

// Listener accepts connections on a port.
type Listener struct {
	Stamp
	Name   string
	Port   uint16
	Chains []Chain
}

// Chain says what becomes of connections: the first of a listener whose names fit best.
type Chain struct {
	Names  []string // server names that TLS clients ask for, such as "*.example.org"; none: any
	TLS    bool
	Secret string // name of the certificate, if it comes by itself
	HTTP   bool   // it speaks HTTP, by a table; else it forwards bytes
	Table  string // name of the table
}

// Table says what becomes of requests.
type Table struct {
	Stamp
	Name  string
	Hosts []*VirtualHost

	byDomain map[string]*VirtualHost // in lower case
	suffixes []string                // of domains such as "*.example.org", the longest first
	prefixes []string                // of domains such as "www.*", the longest first
}

// VirtualHost has the routes of some domains.
type VirtualHost struct {
	Name    string
	Domains []string
	Routes  []Route
}

// Route is what becomes of requests that match: the first of a virtual host that does.
type Route struct {
	Path     PathMatch
	Headers  []ValueMatch
	Queries  []ValueMatch
	Redirect *Redirect
	Direct   int     // status with which it is answered at once; 0: it is not
	Shares   []Share // clusters to which it goes
}

// Share is a cluster that gets a share of a route's requests.
type Share struct {
	Cluster string
	Weight  uint32 // of the sum of all
}

// Redirect says where clients are sent to. What is empty stays as it is in the request.
type Redirect struct {
	Status             int
	Scheme, Host, Path string
	Prefix             string // instead of the prefix that matched
	Port               uint16
}

// Cluster is a set of endpoints.
type Cluster struct {
	Stamp
	Name    string
	Service string           // name of its endpoints, which come by themselves; empty: it has its own
	Static  []netip.AddrPort // its own, as far as they are addresses
	Dynamic bool             // endpoints are names that the proxy looks up: they are not known here
}

// Assignment are the endpoints of one name.
type Assignment struct {
	Stamp
	Name  string
	Addrs []netip.AddrPort // those that get requests, in their order
}

// Secret is a certificate.
type Secret struct {
	Stamp
	Name        string
	Certificate []byte // PEM
	Key         []byte // its private key, PEM
}
