// Package journal is what an operator reads: the logger that writes to journald with
// fields, and the Observer that tells what has changed from one Snapshot to the next.
package journal
