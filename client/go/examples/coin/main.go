// Coin draws a coin that none of its parties can choose: coin ADDRESS TOKEN_FILE SESSION
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"time"

	"whitecity"
)

func digest(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:]
}

func coin(ctx context.Context, session *whitecity.Session) (string, error) {
	me, err := session.Join(ctx)
	if err != nil {
		return "", err
	}
	terms, err := session.Read(ctx)
	if err != nil {
		return "", err
	}
	mine, err := session.Randomness(ctx, "coin") // the same after a crash
	if err != nil {
		return "", err
	}
	others := map[int][]byte{}
	for to := range terms.Spec.Roster {
		if to != me {
			others[to] = digest(mine, []byte{byte(to)})
		}
	}
	if err := session.Post(ctx, 1, digest(mine), others); err != nil {
		return "", err
	}
	promised, err := session.Inbox(ctx, 1)
	if err != nil {
		return "", err
	}
	if err := session.Post(ctx, 2, mine, nil); err != nil {
		return "", err
	}
	shown, err := session.Inbox(ctx, 2)
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, who := range shown.Posted {
		bits := shown.Broadcasts[who]
		told, isTold := promised.P2P[who]
		if !bytes.Equal(digest(bits), promised.Broadcasts[who]) || isTold && !bytes.Equal(told, digest(bits, []byte{byte(me)})) {
			return "", fmt.Errorf("party %d has shown something else than it had promised: %w", who, session.Abort(ctx, 1, &who))
		}
		all.Write(bits)
	}
	if err := session.Finish(ctx, [32]byte(all.Sum(nil))); err != nil {
		return "", err
	}
	end, err := session.End(ctx)
	return end.Outcome, err
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("expected ADDRESS TOKEN_FILE SESSION")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	gateway, err := whitecity.New(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	outcome, err := coin(ctx, gateway.Session(os.Args[3]))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome)
}
