// trees.c in Go.
package main

type node struct {
	left, right *node
}

const shallow, deep = 4, 17

func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{grow(depth - 1), grow(depth - 1)}
}

func count(tree *node) uint64 {
	if tree == nil {
		return 0
	}
	return 1 + count(tree.left) + count(tree.right)
}

func nodes(depth int) uint64 { return 2<<depth - 1 }

func shortLived(depth int) uint64 {
	counted := count(grow(depth))
	if counted != nodes(depth) {
		panic("a tree of another size than was grown")
	}
	return counted
}

func round(deep int) uint64 {
	grown := shortLived(deep + 1)
	longLived := grow(deep)
	for depth := shallow; depth <= deep; depth += 2 {
		for i := 0; i < 4<<(deep-depth); i++ {
			grown += shortLived(depth)
		}
	}
	if count(longLived) != nodes(deep) {
		panic("the long-lived tree is damaged")
	}
	return grown + nodes(deep)
}

func main() { bench("node of binary trees", deep, round) }
