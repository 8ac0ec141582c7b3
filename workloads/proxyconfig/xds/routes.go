package xds

//lint:file-ignore SA1019 control planes of today still send what is deprecated

import (
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/nodefv/nodefv/workloads/proxyconfig"
)

func decodeTable(a *anypb.Any, stamp proxyconfig.Stamp) (resource, error) {
	var m routev3.RouteConfiguration
	if err := a.UnmarshalTo(&m); err != nil {
		return resource{}, err
	}
	hosts := make([]*proxyconfig.VirtualHost, 0, len(m.GetVirtualHosts()))
	for _, v := range m.GetVirtualHosts() {
		host := &proxyconfig.VirtualHost{Name: v.GetName(), Domains: v.GetDomains(), Routes: make([]proxyconfig.Route, 0, len(v.GetRoutes()))}
		for _, r := range v.GetRoutes() {
			route, err := decodeRoute(r)
			if err != nil {
				return resource{}, fmt.Errorf("route table %s: virtual host %s: %w", m.GetName(), v.GetName(), err)
			}
			host.Routes = append(host.Routes, route)
		}
		hosts = append(hosts, host)
	}
	t, err := proxyconfig.NewTable(stamp, m.GetName(), hosts)
	if err != nil {
		return resource{}, fmt.Errorf("route table %s: %w", m.GetName(), err)
	}
	return resource{t.Name, t}, nil
}

func decodeRoute(m *routev3.Route) (r proxyconfig.Route, err error) {
	if r.Path, err = decodePath(m.GetMatch()); err != nil {
		return r, err
	}
	for _, h := range m.GetMatch().GetHeaders() {
		v, err := decodeHeader(h)
		if err != nil {
			return r, err
		}
		r.Headers = append(r.Headers, v)
	}
	for _, q := range m.GetMatch().GetQueryParameters() {
		v := proxyconfig.ValueMatch{Name: q.GetName()}
		if s := q.GetStringMatch(); s != nil {
			if v, err = decodeText(v, s); err != nil {
				return r, err
			}
		} else if !q.GetPresentMatch() {
			v.Absent = q.GetQueryParameterMatchSpecifier() != nil
		}
		r.Queries = append(r.Queries, v)
	}
	switch action := m.GetAction().(type) {
	case *routev3.Route_Route:
		r.Shares, err = decodeShares(action.Route)
	case *routev3.Route_Redirect:
		r.Redirect, err = decodeRedirect(action.Redirect)
	case *routev3.Route_DirectResponse:
		r.Direct = int(action.DirectResponse.GetStatus())
	default:
		err = fmt.Errorf("an action is not understood: %T", action)
	}
	return r, err
}

func decodePath(m *routev3.RouteMatch) (p proxyconfig.PathMatch, err error) {
	p.Fold = m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue()
	switch path := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		p.Prefix = path.Prefix
	case *routev3.RouteMatch_Path:
		p.Exact = path.Path
	case *routev3.RouteMatch_PathSeparatedPrefix:
		p.Separated = path.PathSeparatedPrefix
	case *routev3.RouteMatch_SafeRegex:
		p.Regex, err = proxyconfig.Regex(path.SafeRegex.GetRegex())
	default:
		err = fmt.Errorf("a match of the path is not understood: %T", path)
	}
	return p, err
}

func decodeHeader(m *routev3.HeaderMatcher) (v proxyconfig.ValueMatch, err error) {
	v = proxyconfig.ValueMatch{Name: lower(m.GetName()), Invert: m.GetInvertMatch(), AbsentIsEmpty: m.GetTreatMissingHeaderAsEmpty()}
	switch by := m.GetHeaderMatchSpecifier().(type) {
	case nil:
	case *routev3.HeaderMatcher_PresentMatch:
		v.Absent = !by.PresentMatch
	case *routev3.HeaderMatcher_StringMatch:
		return decodeText(v, by.StringMatch)
	case *routev3.HeaderMatcher_ExactMatch:
		v.Exact = optional(by.ExactMatch)
	case *routev3.HeaderMatcher_PrefixMatch:
		v.Prefix = optional(by.PrefixMatch)
	case *routev3.HeaderMatcher_SuffixMatch:
		v.Suffix = optional(by.SuffixMatch)
	case *routev3.HeaderMatcher_ContainsMatch:
		v.Contains = optional(by.ContainsMatch)
	case *routev3.HeaderMatcher_SafeRegexMatch:
		v.Regex, err = proxyconfig.Regex(by.SafeRegexMatch.GetRegex())
	default:
		err = fmt.Errorf("a match of header %s is not understood: %T", v.Name, by)
	}
	return v, err
}

// decodeText adds how a text is compared.
func decodeText(v proxyconfig.ValueMatch, m *matcherv3.StringMatcher) (_ proxyconfig.ValueMatch, err error) {
	v.Fold = m.GetIgnoreCase()
	switch by := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		v.Exact = optional(by.Exact)
	case *matcherv3.StringMatcher_Prefix:
		v.Prefix = optional(by.Prefix)
	case *matcherv3.StringMatcher_Suffix:
		v.Suffix = optional(by.Suffix)
	case *matcherv3.StringMatcher_Contains:
		v.Contains = optional(by.Contains)
	case *matcherv3.StringMatcher_SafeRegex:
		v.Regex, err = proxyconfig.Regex(by.SafeRegex.GetRegex())
	default:
		err = fmt.Errorf("a match of %s is not understood: %T", v.Name, by)
	}
	return v, err
}

func decodeShares(m *routev3.RouteAction) ([]proxyconfig.Share, error) {
	switch to := m.GetClusterSpecifier().(type) {
	case *routev3.RouteAction_Cluster:
		return []proxyconfig.Share{{Cluster: to.Cluster, Weight: 1}}, nil
	case *routev3.RouteAction_WeightedClusters:
		var shares []proxyconfig.Share
		for _, c := range to.WeightedClusters.GetClusters() {
			shares = append(shares, proxyconfig.Share{Cluster: c.GetName(), Weight: c.GetWeight().GetValue()})
		}
		return shares, nil
	default:
		return nil, fmt.Errorf("clusters are not understood: %T", to)
	}
}

func decodeRedirect(m *routev3.RedirectAction) (*proxyconfig.Redirect, error) {
	if int(m.GetResponseCode()) >= len(statuses) {
		return nil, fmt.Errorf("status of a redirect: %v", m.GetResponseCode())
	}
	d := &proxyconfig.Redirect{
		Status: statuses[m.GetResponseCode()], Scheme: m.GetSchemeRedirect(), Host: m.GetHostRedirect(),
		Path: m.GetPathRedirect(), Prefix: m.GetPrefixRewrite(), Port: uint16(m.GetPortRedirect()),
	}
	if m.GetHttpsRedirect() {
		d.Scheme = "https"
	}
	return d, nil
}
