package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/config"
)

// maxBatch is as many codes as a batch may have: each takes some hundredths of a second.
const maxBatch = 100000

// codeBatch makes the codes of many gateways: a table for the label printer, and what each gateway
// keeps.
func codeBatch(ctx context.Context, j *job) error {
	if j.out == "" || (j.serials == "") == (j.count == 0) {
		return usagef("code batch needs --out, and --serials or --count")
	}
	serials, err := batchSerials(&j.codeOptions)
	if err != nil {
		return err
	}
	c, err := j.daemonConfig()
	if err != nil && j.name == "" {
		return &hint{err, "Without a configuration give the --name."}
	}
	name := j.name
	if name == "" {
		name = c.Bluetooth.Name
	}
	for _, serial := range serials {
		if called := batchName(name, serial); !config.ValidName(called) {
			return usagef("no gateway can be called %q, as the name of serial number %s is: see bluetooth.name", called, serial)
		}
	}
	folder := filepath.Join(j.out, code.BatchFolder)
	err = os.Mkdir(j.out, 0o700)
	if err == nil {
		err = os.Mkdir(folder, 0o700)
	}
	if err != nil {
		return err
	}
	var labels bytes.Buffer
	table := csv.NewWriter(&labels)
	header := []string{"serial", "name", "user", "code", "qr"}
	if j.page != "" {
		header = append(header, "page")
	}
	_ = table.Write(header) // into memory
	for i, serial := range serials {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.screen.doing("code %d of %d", i+1, len(serials))
		row, err := batchOne(filepath.Join(folder, code.BatchFile(serial)), batchName(name, serial), j.owner(), j.page)
		if err != nil {
			return err
		}
		_ = table.Write(append([]string{serial}, row...))
	}
	table.Flush()
	return writeSecret(filepath.Join(j.out, "labels.csv"), labels.Bytes())
}

// batchName returns the name of the gateway with a serial number.
func batchName(name, serial string) string { return strings.ReplaceAll(name, "{serial}", serial) }

// batchOne makes one code, writes what its gateway keeps, and returns the row of its label.
func batchOne(file, name, user, page string) ([]string, error) {
	secret := code.New(user)
	v, err := code.Verifier(user, []byte(secret))
	if err != nil {
		return nil, usageError{err}
	}
	data, err := code.Encode(v)
	if err != nil {
		return nil, err
	}
	text, err := newPayload(name, user, secret)
	if err != nil {
		return nil, err
	}
	row := []string{name, user, secret, text}
	if page != "" {
		row = append(row, pageLink(page, name, user, secret))
	}
	return row, writeSecret(file, data)
}

// batchSerials returns what the gateways of a batch are called: their serial numbers, or 1, 2, ….
func batchSerials(o *codeOptions) (list []string, err error) {
	if o.serials == "" {
		for n := range o.count {
			list = append(list, fmt.Sprint(n+1))
		}
		return list, nil
	}
	file, err := os.Open(o.serials)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	known := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		serial := strings.TrimSpace(lines.Text())
		switch {
		case serial == "":
			continue
		case code.BatchFile(serial) == "":
			return nil, usagef("%q is no serial number", serial)
		case known[serial]:
			return nil, usagef("%q is there twice", serial)
		case len(list) == maxBatch:
			return nil, usagef("a batch has at most %d", maxBatch)
		}
		known[serial], list = true, append(list, serial)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", o.serials, err)
	}
	if len(list) == 0 {
		return nil, usagef("%s has no serial number", o.serials)
	}
	return list, nil
}
