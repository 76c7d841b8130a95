// Command sbom prints what programs of Go's were built from, as a CycloneDX 1.5 document
// (cyclonedx.org, bom-1.5.schema.json): the modules that are linked in, and the standard library.
//
// Usage: sbom VERSION PROGRAM ...
//
// What it prints depends on the programs and on SOURCE_DATE_EPOCH alone.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

type document struct {
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	Serial       string      `json:"serialNumber"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []relation  `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type relation struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom VERSION PROGRAM ...")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(version string, programs []string) error {
	main, linked, err := read(version, programs)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	root := relation{Ref: main.Ref}
	for _, c := range linked {
		root.On = append(root.On, c.Ref)
	}
	d := document{
		Format: "CycloneDX", Spec: "1.5", Version: 1,
		Metadata:     metadata{Timestamp: time.Unix(seconds, 0).UTC().Format(time.RFC3339), Component: main},
		Components:   linked,
		Dependencies: []relation{root},
	}
	d.Serial = serial(d)
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(d)
}

// read returns the programs' module, and what is linked into any of them.
func read(version string, programs []string) (main component, linked []component, err error) {
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return main, nil, err
		}
		main = module("application", info.Main.Path, version, "")
		linked = append(linked, module("library", "std", strings.TrimPrefix(info.GoVersion, "go"), ""))
		for _, m := range info.Deps {
			linked = append(linked, dependency(m))
		}
	}
	slices.SortFunc(linked, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	return main, slices.CompactFunc(linked, func(a, b component) bool { return a.Ref == b.Ref }), nil
}

func dependency(m *debug.Module) component {
	if m.Replace != nil {
		m = m.Replace
	}
	return module("library", m.Path, m.Version, m.Sum)
}

// module returns a Go module with its package URL. sum is that of go.sum.
func module(kind, path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + version
	c := component{Ref: purl, Type: kind, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{Name: "go:sum", Value: sum}}
	}
	return c
}

// serial returns a UUID that is made from the document (RFC 9562, 5.8), as it must differ where the
// documents do.
func serial(d document) string {
	data, _ := json.Marshal(d)
	b := sha256.Sum256(data)
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
