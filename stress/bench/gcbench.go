// gcbench.c in Go.
package main

type node struct {
	left, right *node
	i, j        int32
}

const shallow, deep, arrayOfANode = 4, 18, 4

func populate(tree *node, depth int) {
	if depth == 0 {
		return
	}
	tree.left, tree.right = &node{}, &node{}
	populate(tree.left, depth-1)
	populate(tree.right, depth-1)
}

func bottomUp(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: bottomUp(depth - 1), right: bottomUp(depth - 1)}
}

func count(tree *node) uint64 {
	if tree == nil {
		return 0
	}
	return 1 + count(tree.left) + count(tree.right)
}

func nodes(depth int) uint64 { return 2<<depth - 1 }

func round(deep int) uint64 {
	longLived := &node{}
	populate(longLived, deep)
	array := make([]float64, arrayOfANode*nodes(deep))
	for i := range array {
		array[i] = 1 / float64(i+1)
	}
	made := nodes(deep)
	for depth := shallow; depth <= deep; depth += 2 {
		for i := 0; i < 1<<(deep-depth); i++ {
			populate(&node{}, depth)
			bottomUp(depth)
			made += 2 * nodes(depth)
		}
	}
	if count(longLived) != nodes(deep) || array[1000] != 1.0/1001 {
		panic("the long-lived data are damaged")
	}
	return made
}

func main() { bench("node of GCBench", deep, round) }
