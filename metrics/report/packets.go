package report

import (
	"bytes"
	"fmt"
)

// PacketCounts says how many packets were judged, and how sharply.
type PacketCounts struct {
	Judged  int `json:"judged"`            // all
	Strict  int `json:"strict"`            // one verdict alone was legal
	Crowded int `json:"crowded,omitempty"` // either was, because so much was under way at once that it was not found out
}

// Packets returns how many packets of the scenario were judged, and how sharply.
func (sc Scenario) Packets() PacketCounts {
	var all PacketCounts
	for _, f := range sc.Findings {
		if f.Packets != nil {
			all.Judged, all.Strict, all.Crowded = all.Judged+f.Packets.Judged, all.Strict+f.Packets.Strict, all.Crowded+f.Packets.Crowded
		}
	}
	return all
}

// writePackets writes how sharply the packets of each scenario were judged, as a Markdown table.
func writePackets(b *bytes.Buffer, rec Record) {
	var rows bytes.Buffer
	for _, sc := range rec.Scenarios {
		if p := sc.Packets(); p.Judged > 0 {
			row(&rows, sc.Name, fmt.Sprint(p.Judged), fmt.Sprint(p.Strict), fmt.Sprintf("%.2f %%", 100*float64(p.Strict)/float64(p.Judged)), fmt.Sprint(p.Crowded))
		}
	}
	if rows.Len() > 0 {
		b.WriteString("\nStrictly: one verdict alone was legal; of the others, either was while changes were under way, or because too much was at once.\n\n")
		b.WriteString("| scenario | judged | strictly | share | too much at once |\n|---|---:|---:|---:|---:|\n")
		b.Write(rows.Bytes())
	}
}
