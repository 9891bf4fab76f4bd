// Package whitecity is a party of a White City board, by way of the gateway on its machine.
//
// A gateway signs, seals, verifies and journals; this is a thin way to it. All calls can be made again: while the gateway is away, or
// others have to act first, they are, until the context is done.
package whitecity

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// Longest that one request waits at the gateway.
	wait = 30 * time.Second
	// Pause before a gateway that is away is asked again.
	pause = 200 * time.Millisecond
)

// Failure is the gateway's no. Number and Name say which one, for ever.
type Failure struct {
	Status int    `json:"-"`
	Number int    `json:"failure"`
	Name   string `json:"failure_name"`
	Text   string `json:"error"`
	// Refusal is the number of the board's refusal, if it is one.
	Refusal *int `json:"refusal"`
}

func (f *Failure) Error() string { return fmt.Sprintf("%s (%d, %s)", f.Text, f.Number, f.Name) }

// Gateway is a gateway at HOST:PORT or unix:PATH.
type Gateway struct {
	base, token string
	http        *http.Client
}

// New is the gateway at an address, with the token of a file.
func New(address, tokenFile string) (*Gateway, error) {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{}
	base := "http://" + address
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	}
	return &Gateway{base, strings.TrimSpace(string(token)), &http.Client{Transport: transport}}, nil
}

// Party says whose gateway it is.
func (g *Gateway) Party(ctx context.Context) (party struct{ Key, Network string }, err error) {
	err = g.call(ctx, "GET", "/v1/party", nil, &party)
	return party, err
}

// Spec is a session to open. What is zero has the gateway's usual value.
type Spec struct {
	// Request names this request: the same one opens the same session.
	Request         string   `json:"request"`
	Protocol        string   `json:"protocol"`
	Version         int      `json:"version"`
	Roster          []string `json:"roster"`
	Quorum          int      `json:"quorum,omitempty"`
	Corrupt         int      `json:"corrupt,omitempty"`
	MaxRounds       int      `json:"max_rounds,omitempty"`
	MaxBroadcast    int      `json:"max_bcast,omitempty"`
	MaxP2PPlaintext int      `json:"max_p2p_plaintext,omitempty"`
	MaxBytes        int      `json:"max_bytes,omitempty"`
	JoinMs          int64    `json:"join_ms,omitempty"`
	RoundMs         int64    `json:"round_ms,omitempty"`
	// Input is hex.
	Input       string `json:"input,omitempty"`
	PrevSession string `json:"prev_session,omitempty"`
}

// Open opens a session.
func (g *Gateway) Open(ctx context.Context, spec Spec) (*Session, error) {
	var opened struct{ Session string }
	err := g.call(ctx, "POST", "/v1/sessions", spec, &opened)
	return g.Session(opened.Session), err
}

// Session is this party's part in a session.
func (g *Gateway) Session(id string) *Session { return &Session{g, id} }

// call asks until there is an answer, or the context is done.
func (g *Gateway) call(ctx context.Context, method, path string, body, answer any) error {
	for {
		status, err := g.once(ctx, method, path, body, answer)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if failure, isNo := err.(*Failure); isNo && failure.Status != http.StatusServiceUnavailable {
			return err
		}
		if status == http.StatusAccepted {
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %v", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

func (g *Gateway) once(ctx context.Context, method, path string, body, answer any) (int, error) {
	response, err := g.ask(ctx, method, path, body)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	switch response.StatusCode {
	case http.StatusAccepted:
		return response.StatusCode, ctx.Err()
	case http.StatusOK:
		if answer == nil {
			return response.StatusCode, nil
		}
		return response.StatusCode, json.Unmarshal(said, answer)
	}
	failure := &Failure{Status: response.StatusCode}
	if err := json.Unmarshal(said, failure); err != nil {
		return 0, err
	}
	return response.StatusCode, failure
}

func (g *Gateway) ask(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var data bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&data).Encode(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, g.base+path, &data)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+g.token)
	return g.http.Do(request)
}

// Session is one session.
type Session struct {
	gateway *Gateway
	// ID is the session's id.
	ID string
}

// Inbox is one closed round: who posted, the broadcasts, and what was sealed to this party.
type Inbox struct {
	Round      int            `json:"round"`
	Posted     []int          `json:"posted"`
	Broadcasts map[int][]byte `json:"broadcasts"`
	P2P        map[int][]byte `json:"p2p"`
}

// End is the end of a session. Result is finished, aborted or unknown.
type End struct {
	Result  string
	Outcome string
	Text    string
}

// Terms are what a session is. Index is nil where this party isn't in the roster.
type Terms struct {
	Index *int
	Spec  struct {
		Protocol, Input, Opener string
		Version, Quorum         int
		Roster                  []string
		PrevSession             *string `json:"prev_session"`
	}
}

// Read says what the session is. Joining consents to it.
func (s *Session) Read(ctx context.Context) (terms Terms, err error) {
	err = s.call(ctx, "GET", "", nil, &terms)
	return terms, err
}

// Join consents to the session, and gives this party's index.
func (s *Session) Join(ctx context.Context) (int, error) {
	var joined struct{ Index int }
	err := s.call(ctx, "POST", "/join", nil, &joined)
	return joined.Index, err
}

// Abort leaves after joining; about is a party, as a claim, or nil.
func (s *Session) Abort(ctx context.Context, cause int, about *int) error {
	return s.call(ctx, "POST", "/abort", map[string]any{"cause_number": cause, "about": about}, nil)
}

// Post posts, once the round is open. The same again is fine, and anything else for the round is refused.
func (s *Session) Post(ctx context.Context, round int, broadcast []byte, p2p map[int][]byte) error {
	body := map[string]any{"broadcast": append([]byte{}, broadcast...), "p2p": p2p}
	if p2p == nil {
		delete(body, "p2p")
	}
	return s.call(ctx, "PUT", "/rounds/"+strconv.Itoa(round), body, nil)
}

// Inbox waits until a round has closed, and gives what it holds for this party.
func (s *Session) Inbox(ctx context.Context, round int) (inbox Inbox, err error) {
	err = s.call(ctx, "GET", "/rounds/"+strconv.Itoa(round), nil, &inbox)
	return inbox, err
}

// Finish says that this party is done, with 32 bytes that name the result.
func (s *Session) Finish(ctx context.Context, outcome [32]byte) error {
	return s.call(ctx, "POST", "/finish", map[string]string{"outcome": hex.EncodeToString(outcome[:])}, nil)
}

// End waits for the end.
func (s *Session) End(ctx context.Context) (end End, err error) {
	err = s.call(ctx, "GET", "/end", nil, &end)
	return end, err
}

// Complain complains about a payload that can't be opened (failure 8000). The session ends of it.
func (s *Session) Complain(ctx context.Context, round, from int) error {
	return s.call(ctx, "POST", "/complain", map[string]int{"round": round, "from": from}, nil)
}

// Events calls tell with each change of the session, as JSON, until it has ended.
func (s *Session) Events(ctx context.Context, tell func(json.RawMessage)) error {
	response, err := s.gateway.ask(ctx, "GET", "/v1/sessions/"+s.ID+"/events", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if data, isData := strings.CutPrefix(lines.Text(), "data: "); isData {
			tell(json.RawMessage(data))
		}
	}
	return lines.Err()
}

// Randomness is 32 secret bytes: always the same for one purpose in this session, also after a crash.
func (s *Session) Randomness(ctx context.Context, purpose string) ([]byte, error) {
	var drawn struct{ Data []byte }
	err := s.call(ctx, "GET", "/randomness/"+url.PathEscape(purpose), nil, &drawn)
	return drawn.Data, err
}

// Remember keeps the protocol's own state, encrypted and synced when this returns.
func (s *Session) Remember(ctx context.Context, name string, data []byte) error {
	return s.call(ctx, "PUT", "/memory/"+url.PathEscape(name), map[string][]byte{"data": data}, nil)
}

// Recall gives the state that was remembered last under a name, or nil.
func (s *Session) Recall(ctx context.Context, name string) ([]byte, error) {
	var found struct{ Data []byte }
	err := s.call(ctx, "GET", "/memory/"+url.PathEscape(name), nil, &found)
	if failure, isNo := err.(*Failure); isNo && failure.Name == "not_remembered" {
		return nil, nil
	}
	return found.Data, err
}

// Forget deletes the session's keys, once the result is safe.
func (s *Session) Forget(ctx context.Context) error { return s.call(ctx, "DELETE", "", nil, nil) }

func (s *Session) call(ctx context.Context, method, path string, body, answer any) error {
	return s.gateway.call(ctx, method, "/v1/sessions/"+s.ID+path, body, answer)
}
