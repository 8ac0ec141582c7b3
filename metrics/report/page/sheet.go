package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// Sheet is a page of tables and pictures, such as that of a sweep.
type Sheet struct {
	Title, Verdict string
	Lead           []string // what it is of, in short
	Tables         []SheetTable
	Marks          string   // what the marks in the tables mean
	Notes          []string // of the user
	Remarks        []string
	Trouble        []string // what did not pass
	Pictures       []template.HTML
}

// SheetTable is a table with a title, which may be empty.
type SheetTable struct {
	Title string
	Heads []Head
	Rows  [][]string
}

//go:embed sheet.html
var sheetSource string

var sheetLayout = template.Must(template.New("sheet").Parse(sheetSource))

// Write writes the page.
func (s Sheet) Write(w io.Writer) error {
	var b bytes.Buffer
	err := sheetLayout.Execute(&b, struct {
		Sheet
		CSS template.CSS
	}{s, template.CSS(css)})
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// FileName makes a name that is safe as a file's.
func FileName(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
			return r
		}
		return '-'
	}, name), "-.")
}
