// Package browser tests the page of a run in a real browser: Chromium without a window. It holds tests alone, in a package of their own because
// they are a tier of their own.
package browser
