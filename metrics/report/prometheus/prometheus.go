// Package prometheus tests, in Debian's Prometheus, that the dashboard in docs finds a run that was imported. There is nothing in it but the
// test.
package prometheus
