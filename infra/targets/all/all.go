// Package all makes every target known that there is, a line for each.
package all

import (
	_ "github.com/nodefv/nodefv/infra/targets/contour"
	_ "github.com/nodefv/nodefv/infra/targets/felix"
	_ "github.com/nodefv/nodefv/infra/targets/kuberouter"
	_ "github.com/nodefv/nodefv/infra/targets/traefik"
)

// Default is the target that is tested unless another is named.
const Default = "felix"
