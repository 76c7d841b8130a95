//go:build lab

package lab

import "testing"

func TestCanary(t *testing.T) {}
func TestA(t *testing.T) {}
func TestBoot1(t *testing.T) {}
func TestBoot2(t *testing.T) {}
