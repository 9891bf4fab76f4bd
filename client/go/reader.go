package whitecity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"runtime"
	"strings"
	"sync"
)

// Reader gives a library that draws its own randomness the same bytes again after a crash, from a seed of Session.Randomness.
//
// Each of the library's goroutines has a stream of its own, by the function that it runs: which of them comes first changes nothing. Of several
// that run the same function at once it may. Then a party that crashed would post something else than before, which the gateway refuses
// (failure 6004): nothing is signed twice, but that session can't be gone on with.
type Reader struct {
	library string
	seed    []byte
	lock    sync.Mutex
	streams map[string]cipher.Stream
}

// NewReader is a reader for the library whose functions have this in the path of their package.
func NewReader(seed []byte, library string) *Reader {
	return &Reader{library: library, seed: seed, streams: map[string]cipher.Stream{}}
}

func (r *Reader) Read(into []byte) (int, error) {
	var callers [64]uintptr
	frames, goroutine := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])]), ""
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, r.library) {
			goroutine = frame.Function
		}
		if !more {
			break
		}
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	stream, isThere := r.streams[goroutine]
	if !isThere {
		mac := hmac.New(sha256.New, r.seed)
		mac.Write([]byte(goroutine))
		block, err := aes.NewCipher(mac.Sum(nil))
		if err != nil {
			return 0, err
		}
		stream = cipher.NewCTR(block, make([]byte, aes.BlockSize))
		r.streams[goroutine] = stream
	}
	clear(into)
	stream.XORKeyStream(into, into)
	return len(into), nil
}
