package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

func main() {
	pattern, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	texts, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	compiled := regexp.MustCompile(string(pattern))
	var found strings.Builder
	for _, text := range strings.Split(strings.TrimSuffix(string(texts), "\n"), "\n") {
		if compiled.MatchString(text) {
			found.WriteString("1")
		} else {
			found.WriteString("0")
		}
	}
	fmt.Println(found.String())
}
