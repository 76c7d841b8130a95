package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// A type that has more is not one thing. Plain data, all of whose fields are exported,
// may have more fields.
const (
	maxMethods = 25
	maxFields  = 14
	maxLines   = 50 // of a function
)

func TestSizes(t *testing.T) {
	methods := map[string]int{} // by folder and type
	for _, path := range sources(t) {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line; lines > maxLines {
					t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, lines, maxLines)
				}
				if receiver := receiverType(f); receiver != "" {
					methods[filepath.Dir(path)+" "+receiver]++
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok {
				if fields := countFields(s); fields > maxFields {
					t.Errorf("%s: %s has %d fields, more than %d", path, s.Name.Name, fields, maxFields)
				}
			}
			return true
		})
	}
	for name, n := range methods {
		if n > maxMethods {
			t.Errorf("%s has %d methods, more than %d", name, n, maxMethods)
		}
	}
}

// sources returns the Go files of the product.
func sources(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && d.Name() == "dbustest" {
				return fs.SkipDir
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func receiverType(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	e := f.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr: // of a generic type
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// countFields returns how many fields a struct has, 0 for plain data and for other types.
func countFields(s *ast.TypeSpec) int {
	structure, ok := s.Type.(*ast.StructType)
	if !ok {
		return 0
	}
	n, plain := 0, true
	for _, f := range structure.Fields.List {
		n += max(1, len(f.Names))
		for _, name := range f.Names {
			plain = plain && name.IsExported()
		}
	}
	if plain {
		return 0
	}
	return n
}
