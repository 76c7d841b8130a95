// Command remote lets the host drive the lab's machine: what web.sh runs in it in place of tests. The machine's network card
// leads to the host alone, which reaches two ports of it:
//
//   - 7000 is the machine's system bus, for a browser on the host;
//   - 7001 takes scripts for bash, one a connection: a line of JSON, {"script": "…"}, is answered by a line {"output": "…",
//     "status": 0}. The script "exit" ends this program, with the status in "status".
//
//go:build lab

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
)

const (
	busPort    = "7000"
	scriptPort = "7001"
	busSocket  = "/run/dbus/system_bus_socket"
	// qemu's user network gives a machine this address (docs/system/devices/net.rst).
	setUp = "modprobe virtio_net && ip link set lo up && ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up"
)

// request is a script, or the wish to end.
type request struct {
	Script string `json:"script"`
	Status int    `json:"status"`
}

// answer is what a script printed, and how it ended.
type answer struct {
	Output string `json:"output"`
	Status int    `json:"status"`
}

func main() {
	log.SetFlags(0)
	if out, err := exec.Command("sh", "-c", setUp).CombinedOutput(); err != nil {
		log.Fatalf("set up the network: %v: %s", err, out)
	}
	end := make(chan int)
	go serve(busPort, forward)
	go serve(scriptPort, func(conn net.Conn) { runScript(conn, end) })
	log.Println("remote: the host may go ahead")
	os.Exit(<-end)
}

// serve hands each connection to a port to handle, which closes it.
func serve(port string, handle func(net.Conn)) {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go handle(conn)
	}
}

// forward joins a connection to the system bus.
func forward(conn net.Conn) {
	bus, err := net.Dial("unix", busSocket)
	if err != nil {
		log.Printf("connect to the system bus: %v", err)
		conn.Close()
		return
	}
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pass(bus, conn)
	go pass(conn, bus)
	<-done
	bus.Close()
	conn.Close()
}

// runScript reads a request, carries it out and answers it.
func runScript(conn net.Conn, end chan<- int) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	var r request
	if err = errors.Join(err, json.Unmarshal(line, &r)); err != nil {
		log.Printf("a request that is none: %v", err)
		return
	}
	var a answer
	if r.Script == "exit" {
		defer func() { end <- r.Status }()
	} else {
		cmd := exec.Command("bash", "-c", r.Script)
		out, err := cmd.CombinedOutput()
		a = answer{Output: string(out), Status: cmd.ProcessState.ExitCode()}
		if a.Status < 0 && err != nil {
			a.Output += err.Error()
		}
	}
	if err := json.NewEncoder(conn).Encode(a); err != nil {
		log.Printf("answer: %v", err)
	}
}
