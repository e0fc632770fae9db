// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command awkward answers as applications do that are hard to check: TLS with a CA of their own, a token, an allow-list
// of names, a redirect, a huge body, broken JSON, a reset connection, a slow first answer.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const (
	name  = "shop.example.com"
	token = "sesame"
	huge  = 10 * 1024 * 1024 // bytes
)

func main() {
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "well") })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"tls": %t}`, r.TLS != nil)
	})
	mux.HandleFunc("/named", func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if host != name {
			http.Error(w, "no such host: "+r.Host, http.StatusMisdirectedRequest)
			return
		}
		io.WriteString(w, "known")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/health", http.StatusFound)
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "the start ")
		line := []byte(strings.Repeat("x", 1023) + "\n")
		for sent := 0; sent < huge; sent += len(line) {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		io.WriteString(w, "the end")
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"version": "2.0"`)
	})
	mux.HandleFunc("/reset", func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			if tcp, ok := connection.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			connection.Close()
		}
	})
	mux.HandleFunc("/warms-up", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			time.Sleep(3 * time.Second)
		}
		io.WriteString(w, "warm")
	})
	mux.HandleFunc("/unavailable", func(w http.ResponseWriter, _ *http.Request) {
		// As the API server's proxy says it of a Service without pods.
		http.Error(w, `no endpoints available for service "shop"`, http.StatusServiceUnavailable)
	})

	// The kubelet's probes have a port of their own, as the firewall of a test lets them through.
	go func() { log.Fatal(http.ListenAndServe(":8081", mux)) }()
	go func() { log.Fatal(http.ListenAndServeTLS(":8443", "/tls/tls.crt", "/tls/tls.key", mux)) }()
	log.Fatal(http.ListenAndServe(":8080", mux))
}
