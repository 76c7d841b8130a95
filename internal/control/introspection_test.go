package control

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

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

// The file that is installed is what the daemon answers, and names each property
// with its type, as the documentation does.
func TestIntrospection(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	file, err := os.ReadFile("io.github.wifiprovd1.xml")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := r.call(introspectable + ".Introspect").Store(&got); err != nil || got != string(file) {
		t.Errorf("the daemon answers %v:\n%s", err, got)
	}
	var node described
	if err := xml.Unmarshal(file, &node); err != nil {
		t.Fatal(err)
	}
	own := node.Interfaces[0]
	if node.Name != string(Path) || own.Name != Interface || len(own.Methods) != 1 || own.Methods[0].Name != "Erase" {
		t.Errorf("the file describes %+v", node)
	}
	var values map[string]dbus.Variant
	if err := r.call(properties+".GetAll", Interface).Store(&values); err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/dbus.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range own.Properties {
		if row := "| `" + p.Name + "` | " + p.Type + " | "; !strings.Contains(string(docs), row) {
			t.Errorf("docs/dbus.md has no %q", row)
		}
		if v, ok := values[p.Name]; !ok || v.Signature().String() != p.Type || p.Access != "read" {
			t.Errorf("the file has %+v, the daemon %v", p, v)
		}
		delete(values, p.Name)
	}
	if len(values) > 0 {
		t.Errorf("the file does not have %v", values)
	}
}
