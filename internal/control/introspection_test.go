package control

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

var update = flag.Bool("update", false, "rewrite what is generated from the table of properties")

const introspectionFile = "io.github.wifiprovd1.xml"

// generated are the parts of files that follow from the table of properties: what is
// between begin and end.
var generated = []struct {
	file, begin, end string
	text             func() string
}{
	{introspectionFile, "<method name=\"Erase\"/>\n", "  </interface>\n", propertiesXML},
	{"../../docs/dbus.md", "|---|---|---|---|\n", "\n", propertiesMarkdown},
}

// TestGenerated: the introspection file and the documentation have the table.
func TestGenerated(t *testing.T) {
	for _, g := range generated {
		file, err := os.ReadFile(g.file)
		if err != nil {
			t.Fatal(err)
		}
		begin := bytes.Index(file, []byte(g.begin)) + len(g.begin)
		end := begin + bytes.Index(file[begin:], []byte("\n"+g.end)) + 1
		if begin < len(g.begin) || end <= begin {
			t.Fatalf("%s has no place for the table", g.file)
		}
		switch text := g.text(); {
		case string(file[begin:end]) == text:
		case *update:
			file = append(file[:begin:begin], text+string(file[end:])...)
			if err := os.WriteFile(g.file, file, 0o644); err != nil {
				t.Fatal(err)
			}
			if g.file == introspectionFile {
				introspection = string(file)
			}
		default:
			t.Errorf("%s has\n%swant\n%s(run: go test ./internal/control -update)",
				g.file, file[begin:end], text)
		}
	}
}

func propertiesXML() string {
	var b strings.Builder
	for _, p := range properties {
		open := fmt.Sprintf("    <property name=%q type=%q access=\"read\"", p.name, p.value.signature())
		if !p.constant {
			b.WriteString(open + "/>\n")
			continue
		}
		b.WriteString(open + ">\n      <annotation " +
			"name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" value=\"const\"/>\n    </property>\n")
	}
	return b.String()
}

func propertiesMarkdown() string {
	var b strings.Builder
	for _, p := range properties {
		meaning := p.doc
		if p.constant {
			meaning += " (constant)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", p.name, p.value.signature(), p.json, meaning)
	}
	return b.String()
}

// described is what a file for introspection holds.
type described struct {
	Name       string `xml:"name,attr"`
	Interfaces []struct {
		Name    string `xml:"name,attr"`
		Methods []struct {
			Name string `xml:"name,attr"`
		} `xml:"method"`
		Properties []struct {
			Name   string `xml:"name,attr"`
			Type   string `xml:"type,attr"`
			Access string `xml:"access,attr"`
		} `xml:"property"`
	} `xml:"interface"`
}

// TestIntrospection: the daemon answers the file that is installed, which describes what
// it serves.
func TestIntrospection(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	var answer string
	err := r.call(msgbus.Introspectable + ".Introspect").Store(&answer)
	if err != nil || answer != introspection {
		t.Errorf("the daemon answers %v:\n%s", err, answer)
	}
	var node described
	if err := xml.Unmarshal([]byte(introspection), &node); err != nil {
		t.Fatal(err)
	}
	own := node.Interfaces[0]
	if node.Name != string(Path) || own.Name != Interface ||
		len(own.Methods) != 6 || own.Methods[0].Name != "Open" || own.Methods[5].Name != "Erase" {
		t.Errorf("the file describes %+v", node)
	}
	var values map[string]dbus.Variant
	if err := r.call(msgbus.Properties+".GetAll", Interface).Store(&values); err != nil {
		t.Fatal(err)
	}
	for _, p := range own.Properties {
		v, ok := values[p.Name]
		if !ok || v.Signature().String() != p.Type || p.Access != "read" {
			t.Errorf("the file has %+v, the daemon %v", p, v)
		}
		delete(values, p.Name)
	}
	if len(values) > 0 {
		t.Errorf("the file does not have %v", values)
	}
}
