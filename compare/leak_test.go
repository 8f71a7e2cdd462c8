package compare

import (
	"testing"

	"github.com/runner-ci/runner/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
