package button

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Find returns the input devices that have the key, such as event0: of these the one called
// device, or whose path that is; empty: all. root is that of /sys and /dev, empty for /.
func Find(root, device string, key uint16) []string {
	folders, _ := filepath.Glob(filepath.Join(root, "/sys/class/input/event*"))
	var found []string
	for _, folder := range folders {
		name := filepath.Base(folder)
		if isDevice(root, folder, device) && hasKey(text(folder, "device/capabilities/key"), key) {
			found = append(found, name)
		}
	}
	return found
}

func isDevice(root, folder, device string) bool {
	if strings.HasPrefix(device, "/") {
		target, err := filepath.EvalSymlinks(filepath.Join(root, device))
		return err == nil && filepath.Base(target) == filepath.Base(folder)
	}
	return device == "" || device == text(folder, "device/name")
}

func text(folder, file string) string {
	content, _ := os.ReadFile(filepath.Join(folder, file))
	return strings.TrimSpace(string(content))
}

// hasKey reports whether a bit is set in what sysfs shows of a bitmap: longs of the process
// that reads it, in hexadecimal, the highest first (drivers/input/input.c,
// input_bits_to_string).
func hasKey(bitmap string, key uint16) bool {
	words := strings.Fields(bitmap)
	i := len(words) - 1 - int(key)/strconv.IntSize
	if i < 0 {
		return false
	}
	word, err := strconv.ParseUint(words[i], 16, strconv.IntSize)
	return err == nil && word>>(key%strconv.IntSize)&1 == 1
}
