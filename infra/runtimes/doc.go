// Package runtimes holds what every container runtime is tested against; each is a package below this one. A new one is a package, and a
// line of implementations here.
package runtimes
