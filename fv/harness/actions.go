package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nodefv/nodefv/metrics"
	"github.com/nodefv/nodefv/metrics/report"
)

// annotate tells GitHub Actions what did not pass and where that is written, whose figures are not to be believed, and adds the run's summary to that of the job.
func (s Screen) annotate(out io.Writer, rec report.Record) error {
	if !s.Actions {
		return nil
	}
	for _, sc := range rec.Scenarios {
		if sc.Verdict != metrics.Fail && sc.Verdict != metrics.Inconclusive {
			continue
		}
		where := ""
		if file, line := report.SourceLine(sc.Source); file != "" {
			where = fmt.Sprintf("file=%s,line=%s,", escapedProperty(file), escapedProperty(line))
		}
		fmt.Fprintf(out, "::error %stitle=%s::%s\n", where, escapedProperty(sc.Verdict.String()+": "+sc.Name), escapedData(sc.Reason))
	}
	for _, sc := range rec.Scenarios {
		if report.Degraded(sc.Validity) {
			fmt.Fprintf(out, "::warning title=%s::%s\n", escapedProperty("figures of "+sc.Name), escapedData(sc.Validity))
		}
	}
	if s.Summary == "" {
		return nil
	}
	file, err := os.OpenFile(s.Summary, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		err = errors.Join(report.Summary{}.Write(file, rec), file.Close())
	}
	if err != nil {
		return fmt.Errorf("add to the job's summary: %w", err)
	}
	return nil
}

// escapedData is a text as the data of a command to GitHub Actions, escapedProperty as one of its properties.
func escapedData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapedProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapedData(s))
}
