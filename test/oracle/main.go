// Oracle verifies a journal of Relais from a folder of static files (C2SP tlog-tiles), with Go's own transparency log code
// and nothing of Relais: signature, tiles, every leaf, inclusion and consistency proofs. docs/journal.md says how to run it.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

type folder string

// path writes the address of a tile as tlog-tiles does: tile/0/x001/x234/067.p/8.
func path(level string, n int64, w int) string {
	number := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	if w < width {
		number += ".p/" + strconv.Itoa(w)
	}
	return "tile/" + level + "/" + number
}

// read reads a tile, or what the full one says of it.
func (f folder) read(level string, n int64, w int) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(f), path(level, n, w)))
	if os.IsNotExist(err) && w < width && level != "entries" {
		data, err = os.ReadFile(filepath.Join(string(f), path(level, n, width)))
		if err == nil && len(data) == width*tlog.HashSize {
			data = data[:w*tlog.HashSize]
		}
	}
	return data, err
}

func (f folder) Height() int { return height }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := f.read(strconv.Itoa(t.L), t.N, t.W)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// checkpoint opens the signed note and reads its three lines.
func (f folder) checkpoint(vkey string) (origin string, tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return "", tree, err
	}
	text, err := os.ReadFile(filepath.Join(string(f), "checkpoint"))
	if err != nil {
		return "", tree, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return "", tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return "", tree, fmt.Errorf("the checkpoint is not one of %s", verifier.Name())
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return "", tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return lines[0], tree, err
}

// leaves reads a bundle: each leaf after its length, two bytes, the greater first.
func (f folder) leaves(n int64, w int) ([][]byte, error) {
	data, err := f.read("entries", n, w)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle %d is cut", n)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:end])
		data = data[end:]
	}
	if len(all) != w {
		return nil, fmt.Errorf("bundle %d holds %d leaves instead of %d", n, len(all), w)
	}
	return all, nil
}

// growing is a tree of which only the roots of complete subtrees are known, widest first.
type growing struct {
	size  int64
	roots []tlog.Hash
}

func (g *growing) add(leaf tlog.Hash) {
	for n := g.size; n%2 == 1; n /= 2 {
		leaf = tlog.NodeHash(g.roots[len(g.roots)-1], leaf)
		g.roots = g.roots[:len(g.roots)-1]
	}
	g.roots = append(g.roots, leaf)
	g.size++
}

func (g *growing) root() tlog.Hash {
	root := g.roots[len(g.roots)-1]
	for i := len(g.roots) - 2; i >= 0; i-- {
		root = tlog.NodeHash(g.roots[i], root)
	}
	return root
}

// sizes draws sizes of earlier trees, in order.
func sizes(count int, size int64) []int64 {
	drawn := map[int64]bool{}
	for tries := 0; len(drawn) < count && tries < 100*count; tries++ {
		drawn[1+rand.Int63n(size)] = true
	}
	var all []int64
	for n := range drawn {
		all = append(all, n)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

// checkLeaves hashes every leaf, compares it with its tile, and the tree that they make with the one that was signed. It returns the
// roots that the tree had at some sizes.
func (f folder) checkLeaves(tree tlog.Tree, at []int64) (map[int64]tlog.Hash, error) {
	var grown growing
	roots := map[int64]tlog.Hash{}
	for n := int64(0); n*width < tree.N; n++ {
		w := width
		if rest := tree.N - n*width; rest < width {
			w = int(rest)
		}
		bundle, err := f.leaves(n, w)
		if err != nil {
			return nil, err
		}
		tile, err := f.read("0", n, w)
		if err != nil {
			return nil, err
		}
		for i, leaf := range bundle {
			hash := tlog.RecordHash(leaf)
			if len(tile) != w*tlog.HashSize || !bytes.Equal(hash[:], tile[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
				return nil, fmt.Errorf("entry %d is not the one of its tile", grown.size)
			}
			grown.add(hash)
			if len(at) > 0 && at[0] == grown.size {
				roots[grown.size] = grown.root()
				at = at[1:]
			}
		}
	}
	if grown.root() != tree.Hash {
		return nil, fmt.Errorf("the leaves do not give the signed root")
	}
	return roots, nil
}

// checkProofs makes proofs out of the tiles and checks them.
func checkProofs(tree tlog.Tree, reader tlog.HashReader, inclusion int, old map[int64]tlog.Hash) error {
	for i := 0; i < inclusion; i++ {
		index := rand.Int63n(tree.N)
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, hashes[0]); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	for size, root := range old {
		proof, err := tlog.ProveTree(tree.N, size, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return fmt.Errorf("the tree of %d entries: %w", size, err)
		}
	}
	return nil
}

func verify(f folder, vkey string, entries bool, inclusion, consistency int) (string, error) {
	origin, tree, err := f.checkpoint(vkey)
	if err != nil {
		return "", err
	}
	if tree.N == 0 {
		return fmt.Sprintf("ok %s 0 entries", origin), nil
	}
	// Every tile that it reads is checked against the signed root.
	reader := tlog.TileHashReader(tree, f)
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return "", err
	}
	if root != tree.Hash {
		return "", fmt.Errorf("the tiles do not give the signed root")
	}
	old := map[int64]tlog.Hash{}
	checked := int64(0)
	if entries {
		if old, err = f.checkLeaves(tree, sizes(consistency, tree.N)); err != nil {
			return "", err
		}
		checked = tree.N
	} else {
		for _, size := range sizes(consistency, tree.N) {
			if old[size], err = tlog.TreeHash(size, reader); err != nil {
				return "", err
			}
		}
	}
	if err := checkProofs(tree, reader, inclusion, old); err != nil {
		return "", err
	}
	return fmt.Sprintf("ok %s %d entries, %d leaves, %d inclusion, %d consistency", origin, tree.N, checked, inclusion, len(old)), nil
}

func main() {
	dir := flag.String("dir", "", "folder that holds checkpoint and tile/")
	vkey := flag.String("vkey", "", "public key of the log, known from elsewhere than the folder")
	entries := flag.Bool("entries", true, "check the leaves as well; -entries=false where the folder holds hashes only")
	inclusion := flag.Int("inclusion", 200, "how many inclusion proofs to check")
	consistency := flag.Int("consistency", 50, "how many consistency proofs to check")
	flag.Parse()
	said, err := verify(folder(*dir), strings.TrimSpace(*vkey), *entries, *inclusion, *consistency)
	if err != nil {
		fmt.Fprintln(os.Stderr, "does not hold:", err)
		os.Exit(1)
	}
	fmt.Println(said)
}
