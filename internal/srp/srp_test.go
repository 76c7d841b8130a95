package srp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"
	"time"
)

// vectors returns the runs of Espressif's own client against a device with known secrets: by run,
// then by name, the values in order.
func vectors(t testing.TB) map[string]map[string][][]byte {
	t.Helper()
	data, err := os.ReadFile("testdata/protocomm-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string][]struct{ Name, Hex string }
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	runs := map[string]map[string][][]byte{}
	for run, list := range raw {
		runs[run] = map[string][][]byte{}
		for _, v := range list {
			b, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			runs[run][v.Name] = append(runs[run][v.Name], b)
		}
	}
	return runs
}

func TestVectors(t *testing.T) {
	ran := 0
	for name, run := range vectors(t) {
		if run["sec2.A"] == nil {
			continue
		}
		ran++
		first := func(what string) []byte { return run["sec2."+what][0] }
		user := string(first("username"))
		v := Verifier{User: user, Salt: first("salt"), V: first("verifier")}
		if !v.Valid() || !v.Matches([]byte("abcd1234")) || v.Matches([]byte("abcd1235")) {
			t.Errorf("%s: the verifier is not that of the password", name)
		}
		s, err := newServer(v, user, first("A"), first("b"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for what, got := range map[string][]byte{"B": s.public, "K": s.keys.key, "M1_expected": s.keys.client} {
			if !bytes.Equal(got, first(what)) {
				t.Errorf("%s: %s differs", name, what)
			}
		}
		own, key, err := s.Check(first("M1_client"))
		if run["sec2.M2"] == nil {
			if !errors.Is(err, ErrProof) {
				t.Errorf("%s: a wrong password: %v", name, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(own, first("M2")) || !bytes.Equal(key, first("K")) {
			t.Errorf("%s: the proof: %v", name, err)
		}
		if _, _, err := s.Check(first("M1_client")); !errors.Is(err, ErrProof) {
			t.Errorf("%s: the proof again: %v", name, err)
		}
	}
	if ran < 6 {
		t.Errorf("only %d runs", ran)
	}
}

func TestBothSides(t *testing.T) {
	for range 20 {
		v := NewVerifier("wifiprov", []byte("K7QF2M9XWR4T"))
		for password, right := range map[string]bool{"K7QF2M9XWR4T": true, "K7QF2M9XWR4": false} {
			c := NewClient("wifiprov", []byte(password))
			s, err := NewServer(v, "wifiprov", c.Public())
			if err != nil {
				t.Fatal(err)
			}
			if s.public[0] == 0 || !s.keys.usable() {
				t.Error("a client may drop a zero")
			}
			proof, err := c.Proof(v.Salt, s.Public())
			if err != nil {
				t.Fatal(err)
			}
			own, key, err := s.Check(proof)
			if (err == nil) != right {
				t.Fatalf("%s: %v", password, err)
			}
			if !right {
				continue
			}
			if got, err := c.Key(own); err != nil || !bytes.Equal(got, key) {
				t.Errorf("the server's proof: %v", err)
			}
			if _, err := c.Key(proof); !errors.Is(err, ErrProof) {
				t.Errorf("the client's proof as the server's: %v", err)
			}
			c.Wipe()
		}
	}
}

// A public key that is 0 modulo the prime makes the key known to whoever sends it.
func TestPublicKeysRefused(t *testing.T) {
	v := NewVerifier("u", []byte("password"))
	for name, a := range map[string][]byte{
		"none": nil, "zero": {0}, "zeros": make([]byte, Size), "the prime": prime,
		"long": append([]byte{1}, make([]byte, Size)...), "long zeros": make([]byte, Size+1),
	} {
		if _, err := NewServer(v, "u", a); !errors.Is(err, ErrPublicKey) || CheckClient(a) == nil {
			t.Errorf("the server takes %s", name)
		}
		if _, err := NewClient("u", []byte("password")).Proof(v.Salt, a); !errors.Is(err, ErrPublicKey) {
			t.Errorf("the client takes %s", name)
		}
	}
	above := bytes.Clone(prime) // the prime and 2: not reduced, and no multiple
	above[Size-1] |= 2
	above[Size-9]++
	for name, a := range map[string][]byte{"short": {7}, "one": {1}, "above the prime": above} {
		for _, proof := range [][]byte{nil, {}, make([]byte, ProofSize+1), make([]byte, ProofSize), {1}} {
			s, err := NewServer(v, "u", a)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, _, err := s.Check(proof); !errors.Is(err, ErrProof) {
				t.Errorf("%s: a proof of %d bytes: %v", name, len(proof), err)
			}
		}
	}
}

// Some clients drop the zeros that a proof begins with.
func TestShortProof(t *testing.T) {
	s := &Server{keys: keys{key: []byte{1}, client: append([]byte{0, 0}, bytes.Repeat([]byte{7}, ProofSize-2)...), server: []byte{2}}}
	if _, _, err := s.Check(bytes.Repeat([]byte{7}, ProofSize-2)); err != nil {
		t.Error(err)
	}
}

func TestWrongProofWipes(t *testing.T) {
	v := NewVerifier("u", []byte("password"))
	s, err := NewServer(v, "u", NewClient("u", nil).Public())
	if err != nil {
		t.Fatal(err)
	}
	key, right := s.keys.key, bytes.Clone(s.keys.client)
	if _, _, err := s.Check([]byte{1}); err == nil || !zero(key) {
		t.Errorf("the key is still there: %v", err)
	}
	if _, _, err := s.Check(right); !errors.Is(err, ErrProof) {
		t.Errorf("a second guess: %v", err)
	}
}

func TestVerifierValid(t *testing.T) {
	good := NewVerifier("u", []byte("p"))
	if !good.Valid() || good.Salt[0] == 0 || len(good.Salt) != SaltSize {
		t.Error("a new one is not valid")
	}
	for name, change := range map[string]func(*Verifier){
		"zero": func(v *Verifier) { v.V = make([]byte, Size) }, "one": func(v *Verifier) { v.V = pad([]byte{1}) },
		"the prime": func(v *Verifier) { v.V = prime }, "short": func(v *Verifier) { v.V = v.V[1:] },
		"no salt": func(v *Verifier) { v.Salt = nil }, "no user": func(v *Verifier) { v.User = "" },
		"none": func(v *Verifier) { *v = Verifier{} },
	} {
		bad := good
		change(&bad)
		if bad.Valid() {
			t.Errorf("%s is valid", name)
		}
	}
}

func FuzzServer(f *testing.F) {
	v := NewVerifier("u", []byte("password"))
	f.Add([]byte("u"), []byte{1}, []byte{2})
	f.Fuzz(func(t *testing.T, user, a, proof []byte) {
		s, err := NewServer(v, string(user), a)
		if err != nil {
			return
		}
		if _, _, err := s.Check(proof); err == nil {
			t.Error("a proof without the password")
		}
	})
}

// BenchmarkTiming compares how long the server takes for one code and another, and for a proof that
// is wrong in its first byte and one in its last, interleaved, and reports Welch's t of each: beyond
// 4.5 there is a difference that somebody could measure.
func BenchmarkTiming(b *testing.B) {
	one, two := NewVerifier("wifiprov", []byte("K7QF2M9XWR4T")), NewVerifier("wifiprov", []byte("222222222222"))
	client := NewClient("wifiprov", []byte("K7QF2M9XWR4T"))
	secret := bytes.Repeat([]byte{7}, 32)
	var codes, proofs [2]sample
	for n := 0; b.Loop(); n++ {
		for i := range 2 {
			which := (n + i) % 2
			v := [...]Verifier{one, two}[which]
			begin := time.Now()
			s, err := newServer(v, "wifiprov", client.Public(), secret)
			codes[which].add(time.Since(begin))
			if err != nil {
				b.Fatal(err)
			}
			proof := bytes.Clone(s.keys.client)
			proof[which*(len(proof)-1)]++
			begin = time.Now()
			_, _, _ = s.Check(proof)
			proofs[which].add(time.Since(begin))
		}
	}
	b.ReportMetric(welch(codes), "t(codes)")
	b.ReportMetric(welch(proofs), "t(proofs)")
}

// sample is a mean and a variance, as they grow.
type sample struct{ n, mean, squares float64 }

func (s *sample) add(d time.Duration) {
	s.n++
	delta := float64(d) - s.mean
	s.mean += delta / s.n
	s.squares += delta * (float64(d) - s.mean)
}

func welch(s [2]sample) float64 {
	variance := 0.0
	for _, x := range s {
		variance += x.squares / (x.n - 1) / x.n
	}
	return (s[0].mean - s[1].mean) / math.Sqrt(variance)
}

func BenchmarkServer(b *testing.B) {
	v := NewVerifier("wifiprov", []byte("K7QF2M9XWR4T"))
	a := NewClient("wifiprov", []byte("K7QF2M9XWR4T")).Public()
	for b.Loop() {
		if _, err := NewServer(v, "wifiprov", a); err != nil {
			b.Fatal(err)
		}
	}
}
