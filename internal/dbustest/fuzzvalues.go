package dbustest

import (
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Values makes D-Bus values of a fuzzer's bytes: of any type, also of another
// one than the reader expects. What the bus delivers is valid D-Bus, but nothing
// says that it is what the documents promise.
type Values struct {
	data  []byte
	words []string
	valid bool
}

// NewValues returns the values of data. words are names and values that mean
// something to the reader.
func NewValues(data []byte, words ...string) *Values { return &Values{data: data, words: words} }

// Valid makes texts and paths such that a message can carry them (D-Bus
// specification, "Basic types").
func (v *Values) Valid() *Values {
	v.valid = true
	return v
}

// More reports whether there are bytes left.
func (v *Values) More() bool { return len(v.data) > 0 }

func (v *Values) byte() byte {
	if len(v.data) == 0 {
		return 0
	}
	b := v.data[0]
	v.data = v.data[1:]
	return b
}

// Pick returns one of the words.
func (v *Values) Pick(words ...string) string { return words[int(v.byte())%len(words)] }

// Bytes returns the next few bytes.
func (v *Values) Bytes() []byte {
	n := min(int(v.byte()), len(v.data))
	b := slices.Clone(v.data[:n])
	v.data = v.data[n:]
	return b
}

// Int returns a number of two bytes.
func (v *Values) Int() int { return int(int8(v.byte()))<<8 | int(v.byte()) }

// Word returns one of the words, or any text.
func (v *Values) Word() string {
	if n := int(v.byte()); n < len(v.words) {
		return v.words[n]
	}
	text := string(v.Bytes())
	if v.valid {
		text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	}
	return text
}

// Path returns a path, mostly one of these.
func (v *Values) Path(paths ...string) dbus.ObjectPath {
	path := dbus.ObjectPath(v.Pick(append(paths, v.Word())...))
	if v.valid && !path.IsValid() {
		return "/"
	}
	return path
}

// Field is a property with the type that its reader expects.
type Field struct {
	Name string
	Make func() any
}

// Fields returns a dictionary of these properties, some of them missing or of
// another type.
func (v *Values) Fields(fields ...Field) map[string]dbus.Variant {
	m := map[string]dbus.Variant{}
	for _, f := range fields {
		switch v.byte() {
		case 0xFF:
		case 0xFE:
			m[f.Name] = dbus.MakeVariant(v.Value())
		default:
			m[f.Name] = dbus.MakeVariant(f.Make())
		}
	}
	return m
}

// Properties returns a dictionary.
func (v *Values) Properties() map[string]dbus.Variant { return v.properties(0) }

func (v *Values) properties(depth int) map[string]dbus.Variant {
	m := map[string]dbus.Variant{}
	for range v.byte() % 8 {
		m[v.Word()] = dbus.MakeVariant(v.value(depth + 1))
	}
	return m
}

// Interfaces returns what an object manager says of one object.
func (v *Values) Interfaces() map[string]map[string]dbus.Variant { return v.interfaces(0) }

func (v *Values) interfaces(depth int) map[string]map[string]dbus.Variant {
	m := map[string]map[string]dbus.Variant{}
	for range v.byte() % 4 {
		m[v.Word()] = v.properties(depth)
	}
	return m
}

// Value returns a value of any type.
func (v *Values) Value() any { return v.value(0) }

func (v *Values) value(depth int) any {
	kind := v.byte() % 16
	if depth > 3 {
		kind %= 11
	}
	switch kind {
	case 0:
		return v.byte()
	case 1:
		return v.byte()%2 == 1
	case 2:
		return int16(v.byte())<<8 | int16(v.byte())
	case 3:
		return uint16(v.byte())<<8 | uint16(v.byte())
	case 4:
		return int32(int8(v.byte()))
	case 5:
		return uint32(v.byte())<<24 | uint32(v.byte())
	case 6:
		return float64(v.byte())
	case 7, 8:
		return v.Word()
	case 9:
		return v.Bytes()
	case 10:
		return v.Path()
	case 11:
		return []string{v.Word(), v.Word()}
	case 12:
		return []dbus.ObjectPath{v.Path()}
	case 13:
		return dbus.MakeVariant(v.value(depth + 1))
	case 14:
		return v.interfaces(depth)
	}
	return v.properties(depth)
}

// Body returns the arguments of a signal, call or answer: mostly those of want,
// each made by one of these methods, now and then something else.
func (v *Values) Body(want ...func() any) []any {
	var body []any
	for _, make := range want {
		switch v.byte() {
		case 0xFF:
			return body
		case 0xFE:
			make = v.Value
		}
		body = append(body, make())
	}
	return body
}
