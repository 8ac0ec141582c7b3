module github.com/nodefv/nodefv/docker/fv-pause

go 1.26
