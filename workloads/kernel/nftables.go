package kernel

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

type nftObject struct {
	Chain *struct{ Family, Table, Name string }
	Rule  *struct {
		Family, Table, Chain, Comment string
		Expr                          json.RawMessage
	}
	Set *nftSet
	Map *nftSet
}

type nftSet struct {
	Family, Table, Name string
	Elem                []json.RawMessage
}

var nftFamilies = map[string]Family{"ip": IPv4, "ip6": IPv6, "arp": ARP}

// ReadNFTables adds what `nft -j list ruleset` printed of the families ip, ip6 and arp; others are left out.
func (s *State) ReadNFTables(r io.Reader) error {
	var dump struct{ Nftables []nftObject }
	if err := json.NewDecoder(r).Decode(&dump); err != nil {
		return fmt.Errorf("read nftables: %w", err)
	}
	// Most rules of a pod say the same as those of the next: each text is parsed once.
	parsed := map[string]Rule{}
	for _, o := range dump.Nftables {
		switch {
		case o.Chain != nil:
			s.nftChain(ID{nftFamilies[o.Chain.Family], o.Chain.Table, o.Chain.Name}, nil)
		case o.Rule != nil:
			rule, ok := parsed[string(o.Rule.Expr)]
			if !ok {
				var expressions []map[string]json.RawMessage
				err := json.Unmarshal(o.Rule.Expr, &expressions)
				if err == nil {
					rule, err = parseNFT(expressions)
				}
				if err != nil {
					return fmt.Errorf("read rule of chain %s %s %s: %w", o.Rule.Family, o.Rule.Table, o.Rule.Chain, err)
				}
				parsed[string(o.Rule.Expr)] = rule
			}
			rule.Comment = o.Rule.Comment
			s.nftChain(ID{nftFamilies[o.Rule.Family], o.Rule.Table, o.Rule.Chain}, &rule)
		case o.Set != nil:
			if err := s.nftSet(*o.Set); err != nil {
				return err
			}
		case o.Map != nil:
			if err := s.nftMap(*o.Map); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *State) nftChain(id ID, r *Rule) {
	if id.Family == "" {
		return
	}
	c := s.Chains[id]
	if r != nil {
		c.Rules = append(c.Rules, *r)
	}
	s.Chains[id] = c
}

func (s *State) nftSet(set nftSet) error {
	id := ID{nftFamilies[set.Family], set.Table, set.Name}
	if id.Family == "" {
		return nil
	}
	members := make([]string, 0, len(set.Elem))
	for _, e := range set.Elem {
		m, err := nftValue(e, " ")
		if err != nil {
			return fmt.Errorf("read set %s: %w", id, err)
		}
		members = append(members, m)
	}
	s.Sets[id] = Set{Members: members}
	return nil
}

func (s *State) nftMap(m nftSet) error {
	id := ID{nftFamilies[m.Family], m.Table, m.Name}
	if id.Family == "" {
		return nil
	}
	verdicts := map[string]string{}
	for _, e := range m.Elem {
		var pair []json.RawMessage
		if err := json.Unmarshal(e, &pair); err != nil || len(pair) != 2 {
			return fmt.Errorf("read map %s: element %s", id, e)
		}
		key, err := nftValue(pair[0], " ")
		if err != nil {
			return fmt.Errorf("read map %s: %w", id, err)
		}
		var expr map[string]json.RawMessage
		if err := json.Unmarshal(pair[1], &expr); err != nil { // the value of another kind of map
			expr = map[string]json.RawMessage{string(pair[1]): nil}
		}
		rule, err := parseNFT([]map[string]json.RawMessage{expr})
		if err != nil {
			return fmt.Errorf("read map %s: %w", id, err)
		}
		verdicts[key] = rule.String()
	}
	s.Maps[id] = Map{Verdicts: verdicts}
	return nil
}

func parseNFT(expressions []map[string]json.RawMessage) (Rule, error) {
	r := Rule{Do: Continue}
	for _, e := range expressions {
		for kind, body := range e {
			var err error
			switch kind {
			case "counter":
			case "match":
				err = r.nftMatch(body)
			case "accept", "drop", "return", "continue":
				r.Do = Verdict(kind)
			case "jump", "goto":
				var to struct{ Target string }
				err = json.Unmarshal(body, &to)
				r.Do, r.Chain = Verdict(kind), to.Target
			case "mangle":
				err = r.nftMark(body)
			case "vmap":
				var to struct{ Data string }
				if json.Unmarshal(body, &to) == nil && strings.HasPrefix(to.Data, "@") {
					r.Do, r.Chain = Look, to.Data[1:]
					continue
				}
				r.Where = append(r.Where, "vmap "+string(body))
			default: // what this package has no words for stays as it is
				r.Where = append(r.Where, kind+" "+string(body))
			}
			if err != nil {
				return r, fmt.Errorf("%s %s: %w", kind, body, err)
			}
		}
	}
	slices.Sort(r.Where)
	r.Where = slices.Compact(r.Where)
	return r, nil
}

// nftField is what a match compares: a field of the packet, of its state, or several.
type nftField struct {
	Payload *struct{ Protocol, Field string }
	Meta    *struct{ Key string }
	CT      *struct{ Key string }
	Concat  []nftField
	And     []json.RawMessage `json:"&"`
}

func (r *Rule) nftMatch(body json.RawMessage) error {
	var m struct {
		Op          string
		Left, Right json.RawMessage
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	var left nftField
	if err := json.Unmarshal(m.Left, &left); err != nil {
		r.Where = append(r.Where, "match "+string(body)) // an expression of another shape
		return nil
	}
	not := ""
	if m.Op == "!=" {
		not = "not "
	}
	right, err := nftValue(m.Right, ",")
	if err != nil {
		return err
	}
	if set, ok := strings.CutPrefix(right, "@"); ok {
		r.Sets = append(r.Sets, SetMatch{Set: set, Not: not != "", By: left.words()})
		for _, f := range left.Concat {
			if f.Payload != nil && strings.HasSuffix(f.Payload.Field, "port") && f.Payload.Protocol != "th" {
				r.Where = append(r.Where, "proto "+f.Payload.Protocol)
			}
		}
		return nil
	}
	switch {
	case len(left.And) == 2:
		mask, err := strconv.ParseUint(string(left.And[1]), 10, 32)
		value, err2 := strconv.ParseUint(right, 10, 32)
		if err == nil && err2 == nil && strings.Contains(string(left.And[0]), `"mark"`) {
			r.Where = append(r.Where, not+markCondition(uint32(value), uint32(mask)))
			return nil
		}
		r.Where = append(r.Where, "match "+string(body))
		return nil
	case left.CT != nil && left.CT.Key == "state":
		right = sortedList(right)
	case left.Payload != nil && strings.HasSuffix(left.Payload.Field, "port"):
		right = sortedPorts(strings.Split(right, ","))
		if p := left.Payload.Protocol; p != "th" {
			r.Where = append(r.Where, "proto "+p)
		}
	}
	r.Where = append(r.Where, not+left.words()+" "+right)
	return nil
}

// words names a field as the rest of this package does.
func (f nftField) words() string {
	switch {
	case f.Payload != nil:
		switch f.Payload.Field {
		case "saddr":
			return "from"
		case "daddr":
			return "to"
		case "sport":
			return "from port"
		case "dport":
			return "to port"
		}
		return f.Payload.Protocol + " " + f.Payload.Field
	case f.Meta != nil:
		if word, ok := map[string]string{"l4proto": "proto", "iifname": "in", "oifname": "out"}[f.Meta.Key]; ok {
			return word
		}
		return f.Meta.Key
	case f.CT != nil:
		if f.CT.Key == "state" {
			return "ct"
		}
		return "ct " + f.CT.Key
	case len(f.Concat) > 0:
		return f.Concat[0].words() + " port" // address, protocol and port
	}
	return "?"
}

// nftValue writes a value: a number, a word, a prefix, a range, or several of them joined.
func nftValue(raw json.RawMessage, joint string) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	switch raw[0] {
	case '"':
		if s := string(raw[1 : len(raw)-1]); !strings.ContainsRune(s, '\\') {
			return s, nil
		}
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return "", err
		}
		return nftList(list, joint)
	case '{':
		var v struct {
			Set    []json.RawMessage
			Concat []json.RawMessage
			Range  []json.RawMessage
			Prefix *struct {
				Addr string
				Len  int
			}
			Elem *struct{ Val json.RawMessage }
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			return "", err
		}
		switch {
		case v.Prefix != nil:
			return v.Prefix.Addr + "/" + strconv.Itoa(v.Prefix.Len), nil
		case v.Range != nil:
			return nftList(v.Range, "-")
		case v.Set != nil:
			return nftList(v.Set, ",")
		case v.Concat != nil:
			return nftList(v.Concat, " ")
		case v.Elem != nil: // an element with a comment, a counter or a time-out
			return nftValue(v.Elem.Val, joint)
		}
	}
	return string(raw), nil
}

func nftList(list []json.RawMessage, joint string) (string, error) {
	words := make([]string, 0, len(list))
	for _, raw := range list {
		w, err := nftValue(raw, joint)
		if err != nil {
			return "", err
		}
		words = append(words, w)
	}
	return strings.Join(words, joint), nil
}

// nftMark reads "meta mark set (meta mark & A) | B" in each of its shapes; another mangling stays as it is.
func (r *Rule) nftMark(body json.RawMessage) error {
	var m struct {
		Key   struct{ Meta struct{ Key string } }
		Value json.RawMessage
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	mark, ok := nftBits(m.Value)
	if m.Key.Meta.Key != "mark" || !ok {
		r.Do, r.Chain = "mangle", string(body)
		return nil
	}
	mark.Clear &^= mark.Set
	r.Do, r.Mark = SetMark, mark
	return nil
}

// nftBits reads an expression over the packet's mark.
func nftBits(raw json.RawMessage) (Mark, bool) {
	var v struct {
		Meta *struct{ Key string }
		And  []json.RawMessage `json:"&"`
		Or   []json.RawMessage `json:"|"`
	}
	if json.Unmarshal(raw, &v) != nil {
		return Mark{}, false
	}
	operands := append(v.And, v.Or...)
	if v.Meta != nil && v.Meta.Key == "mark" && len(operands) == 0 {
		return Mark{}, true
	}
	if len(operands) != 2 {
		return Mark{}, false
	}
	inner, ok := nftBits(operands[0])
	bits, err := strconv.ParseUint(string(operands[1]), 10, 32)
	if !ok || err != nil {
		return Mark{}, false
	}
	if v.And != nil {
		inner.Clear |= ^uint32(bits)
		inner.Set &= uint32(bits)
	} else {
		inner.Set |= uint32(bits)
	}
	return inner, true
}
