// Package routed knows what must hold of a SUT that routes requests.
package routed
