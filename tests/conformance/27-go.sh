# Go programs make their own system calls, and exec with the environment that they see.
# slow
# timeout: 300
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
need go

cat >hello.go <<'END'
package main

IMPORT
import "fmt"
import "os"
import "os/exec"

func main() {
	missing := os.Args[1] + "/" + "missing-" + os.Args[2]
	fmt.Println("expect open 2 1 " + missing)
	_, err := os.Open(missing)
	fmt.Println("expect open 0 - /etc/hostname")
	fmt.Println(err)
	out, err := exec.Command("cat", "/etc/hostname").Output()
	fmt.Println(string(out), err, len(os.Args))
	if len(os.Args) < 4 {
		out, err = exec.Command(os.Args[0], os.Args[1], "once", "more").CombinedOutput()
		fmt.Println(string(out), err)
	}
	os.Exit(5)
}
END
for kind in static dynamic; do
	cgo=0
	[ $kind = dynamic ] && cgo=1
	sed "s/^IMPORT/$([ $cgo = 1 ] && echo 'import "C"')/" hello.go >$kind.go
	if ! CGO_ENABLED=$cgo go build -o "$PWD/go-$kind" $kind.go; then
		skip_check "a Go program, $kind" "a Go that builds it"
		continue
	fi
	check "a Go program, $kind" same go-$kind "$PWD/go-$kind" "$PWD" first
done
