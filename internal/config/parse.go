package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Parse returns what data, the content of the file called name, says. Errors
// are as those of Load.
func Parse(name string, data []byte) (Config, error) { return Default().with(name, data) }

// with returns c with what a file says in place of what c says of the same.
func (c Config) with(name string, data []byte) (Config, error) {
	p := parser{file: name, config: c, lines: map[string]int{}}
	if err := p.parse(data); err != nil {
		return Config{}, err
	}
	return p.config, nil
}

type parser struct {
	file   string
	config Config
	lines  map[string]int // where each key was set
}

// errorf returns an error at the given line of the file.
func (p *parser) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...))
}

func (p *parser) parse(data []byte) error {
	if len(data) > MaxSize {
		return fmt.Errorf("%s: larger than %d bytes, which is all that is allowed", p.file, MaxSize)
	}
	if err := p.checkText(data); err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := d.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return p.syntaxError(err)
	}
	switch err := d.Decode(&second); {
	case err == nil:
		return p.errorf(second.Line, "a second document starts here; allowed is one")
	case !errors.Is(err, io.EOF):
		return p.syntaxError(err)
	}
	if err := p.mapping(first.Content[0], "the file", "", p.section); err != nil {
		return err
	}
	return p.checkFormer()
}

// checkFormer refuses a key that goes beside the one in its place.
func (p *parser) checkFormer() error {
	line, former := p.lines["bluetooth.keep_after_connect"]
	for _, name := range []string{"bluetooth.access", "bluetooth.access_ignores"} {
		if other, set := p.lines[name]; former && set {
			return p.errorf(line, "bluetooth.keep_after_connect has become bluetooth.access; "+
				"allowed is one of them, and %s is set in line %d", name, other)
		}
	}
	return nil
}

// checkText refuses what YAML refuses too, but with the line.
func (p *parser) checkText(data []byte) error {
	for i, line := range bytes.Split(data, []byte("\n")) {
		control := func(r rune) bool { return r != '\t' && r != '\r' && unicode.IsControl(r) }
		if !utf8.Valid(line) || bytes.ContainsFunc(line, control) {
			return p.errorf(i+1, "not a line of text; allowed is UTF-8 without control characters")
		}
	}
	return nil
}

// syntaxError returns an error of the YAML parser as one of ours. The parser
// names every line but the first ("yaml: line 2: ...").
func (p *parser) syntaxError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := "1"
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		line, text, _ = strings.Cut(rest, ": ")
	}
	return fmt.Errorf("%s:%s: %s; allowed is YAML", p.file, line, text)
}

// mapping calls each with every key of node, which is called what in errors and
// is the given section of the file.
func (p *parser) mapping(node *yaml.Node, what, section string, each func(key string, k, v *yaml.Node) error) error {
	if node.ShortTag() == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return p.errorf(node.Line, "%s is not a mapping; allowed are the keys %s", what, allowedKeys(section))
	}
	for i := 0; i < len(node.Content); i += 2 {
		k, v := node.Content[i], node.Content[i+1]
		path := strings.TrimPrefix(section+"."+k.Value, ".")
		if line, set := p.lines[path]; set {
			return p.errorf(k.Line, "%s is set again; allowed is once, as in line %d", shorten(path), line)
		}
		p.lines[path] = k.Line
		if err := each(k.Value, k, v); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) section(name string, k, v *yaml.Node) error {
	for _, known := range keys {
		if known.section == name {
			return p.mapping(v, name, name, func(key string, k, v *yaml.Node) error { return p.value(name, key, k, v) })
		}
	}
	return p.errorf(k.Line, "unknown key %s; allowed are %s", shorten(name), allowedKeys(""))
}

func (p *parser) value(section, name string, k, v *yaml.Node) error {
	for _, known := range slices.Concat(keys, formerKeys) {
		if known.section != section || known.name != name {
			continue
		}
		if name == "protocols" {
			v = joined(v)
		}
		if v.Kind != yaml.ScalarNode || v.Style&yaml.TaggedStyle != 0 {
			return p.errorf(v.Line, "%s.%s is not a plain value; allowed: %s", section, name, known.allowed)
		}
		if name == "name" && cutByComment(v) {
			return p.errorf(v.Line, "%s.%s is cut off by %s, which YAML takes for a comment; put the name in quotes",
				section, name, shorten(v.LineComment))
		}
		value := v.Value
		if v.ShortTag() == "!!null" {
			value = ""
		}
		if !known.set(&p.config, value) {
			return p.errorf(v.Line, "%s.%s is %s; allowed: %s", section, name, shorten(value), known.allowed)
		}
		return nil
	}
	return p.errorf(k.Line, "unknown key %s in %s; allowed are %s", shorten(name), section, allowedKeys(section))
}

// joined returns a list of plain values as one plain value, with commas; what is none as it is.
func joined(list *yaml.Node) *yaml.Node {
	if list.Kind != yaml.SequenceNode || list.Style&yaml.TaggedStyle != 0 {
		return list
	}
	var values []string
	for _, v := range list.Content {
		if v.Kind != yaml.ScalarNode || v.Style&yaml.TaggedStyle != 0 {
			return list
		}
		values = append(values, v.Value)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Join(values, ","), Line: list.Line}
}

// cutByComment reports whether a # in an unquoted value began a comment that was hardly
// meant as one, as in Gate #1.
func cutByComment(v *yaml.Node) bool {
	comment, ok := strings.CutPrefix(v.LineComment, "#")
	return ok && v.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && comment != "" && !strings.HasPrefix(comment, " ")
}

// shorten returns s quoted, and cut if it is long.
func shorten(s string) string { return fmt.Sprintf("%.60q", s) }
