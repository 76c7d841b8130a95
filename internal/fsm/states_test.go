package fsm

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// TestStates compares docs/states.md with what the code does; go test -update writes it
// anew.
func TestStates(t *testing.T) {
	edges := slices.SortedFunc(maps.Keys(explore(t)), func(a, b edge) int {
		return strings.Compare(fmt.Sprintf("%d %s %s", a.from, a.event, a.to), fmt.Sprintf("%d %s %s", b.from, b.event, b.to))
	})
	compare(t, filepath.Join("..", "..", "docs", "states.md"), statesIntro+picture(edges)+tables(edges))
}

const statesIntro = `# The state machine

Generated from ` + "`internal/fsm`" + ` by its test (` + "`go test ./internal/fsm -update`" + `): for every phase, where each event can lead. The status
in parentheses is what a phone reads. "In Progress" is the answer to a request that has to wait. Events that nobody would
notice have no row.

The door is beside the phases: "advertising on" and "off" say whether phones find the gateway. A window that a person has opened is
"opened", then "ending" (its time is over: phones that are connected may finish), "leaving" (nothing is taken any more, a phone
learns how its attempt ends) and "shut"; any of them may be skipped, and none comes back without a person.

An ERASE, from every phase but the first, leads to erasing; the picture leaves that out, and what stays in its phase.
`

// picture draws the phases and what leads from one to another.
func picture(edges []edge) string {
	var out strings.Builder
	out.WriteString("\n```mermaid\nstateDiagram-v2\n  direction TB\n  [*] --> starting\n")
	for phase := gateway.Starting; phase <= gateway.Erasing; phase++ {
		statuses := map[string]bool{}
		for _, e := range edges {
			if _, status, ok := strings.Cut(e.to, " ("); ok && e.phase == phase {
				statuses[strings.TrimSuffix(status, ")")] = true
			}
		}
		if len(statuses) > 0 && phase != gateway.Erasing {
			fmt.Fprintf(&out, "  %s: %[1]s<br>%s\n", phase, strings.Join(slices.Sorted(maps.Keys(statuses)), ", "))
		}
		for to := gateway.Starting; to <= gateway.Erasing; to++ {
			if labels := between(edges, phase, to); len(labels) > 0 {
				fmt.Fprintf(&out, "  %s --> %s: %s\n", phase, to, strings.Join(labels, "<br>"))
			}
		}
	}
	out.WriteString("```\n")
	return out.String()
}

// between returns the events that lead from one phase to another, but for ERASE.
func between(edges []edge, from, to gateway.Phase) []string {
	var labels []string
	for _, e := range edges {
		if e.from == from && e.phase == to && from != to && e.event != "EraseRequested" {
			labels = append(labels, strings.ReplaceAll(e.event, ": ", " "))
		}
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

func tables(edges []edge) string {
	var out strings.Builder
	for phase := gateway.Starting; phase <= gateway.Erasing; phase++ {
		fmt.Fprintf(&out, "\n## %s\n\n| Event | Leads to |\n|---|---|\n", phase)
		rows := map[string][]string{}
		for _, e := range edges {
			if e.from == phase {
				rows[e.event] = append(rows[e.event], e.to)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			fmt.Fprintf(&out, "| %s | %s |\n", name, strings.Join(slices.Compact(rows[name]), ", "))
		}
	}
	return out.String()
}
