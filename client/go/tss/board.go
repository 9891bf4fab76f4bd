package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/tss"
	"whitecity"
)

// Board ties a party of tss-lib to a session: what it gives out in one of its rounds is one post, and what the others posted is fed to it.
type Board struct {
	session *whitecity.Session
	ids     []*tss.PartyID     // by the indices in the session's roster
	sorted  tss.SortedPartyIDs // as tss-lib wants them
	me      int
}

// Sit joins the session; its parties are known by their identity keys.
func Sit(ctx context.Context, session *whitecity.Session, roster []string) (*Board, error) {
	me, err := session.Join(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]*tss.PartyID, len(roster))
	for i, key := range roster {
		number, isHex := new(big.Int).SetString(key, 16)
		if !isHex {
			return nil, fmt.Errorf("party %d has no key in hex", i)
		}
		ids[i] = tss.NewPartyID(key, key, number)
	}
	return &Board{session, ids, tss.SortPartyIDs(append(tss.UnSortedPartyIDs{}, ids...)), me}, nil
}

// Parameters are those of this party, which draws the same again after a crash: whitecity.Reader says what that takes.
func (b *Board) Parameters(ctx context.Context, threshold int) (*tss.Parameters, error) {
	seed, err := b.session.Randomness(ctx, "tss-lib")
	if err != nil {
		return nil, err
	}
	drawn := whitecity.NewReader(seed, "bnb-chain/tss-lib")
	parameters := tss.NewParameters(tss.S256(), tss.NewPeerContext(b.sorted), b.ids[b.me], len(b.ids), threshold)
	parameters.SetRand(drawn)
	parameters.SetPartialKeyRand(drawn)
	return parameters, nil
}

// Run runs a party to its end. Out and end are the channels that it was made with; out has room for all messages of a round.
func Run[T any](ctx context.Context, b *Board, party tss.Party, out chan tss.Message, end chan T) (result T, err error) {
	if failed := party.Start(); failed != nil {
		return result, b.blame(ctx, failed)
	}
	for round := 1; ; round++ {
		select {
		case result = <-end:
			return result, nil
		default:
		}
		broadcast, p2p, err := b.collect(out)
		if err != nil {
			return result, err
		}
		if err := b.session.Post(ctx, round, broadcast, p2p); err != nil {
			return result, err
		}
		inbox, err := b.session.Inbox(ctx, round)
		if err != nil {
			return result, err
		}
		for _, from := range inbox.Posted {
			if from == b.me {
				continue
			}
			if err := b.feed(ctx, party, from, inbox.Broadcasts[from], true); err != nil {
				return result, err
			}
			if err := b.feed(ctx, party, from, inbox.P2P[from], false); err != nil {
				return result, err
			}
		}
	}
}

// collect takes what the party has given out: tss-lib does that before it returns from what was fed to it.
func (b *Board) collect(out chan tss.Message) (broadcast []byte, p2p map[int][]byte, err error) {
	p2p = map[int][]byte{}
	for {
		select {
		case message := <-out:
			wire, routing, err := message.WireBytes()
			if err != nil {
				return nil, nil, err
			}
			framed := append(binary.BigEndian.AppendUint32(nil, uint32(len(wire))), wire...)
			if routing.IsBroadcast {
				broadcast = append(broadcast, framed...)
				continue
			}
			for _, to := range routing.To {
				index := b.index(to)
				p2p[index] = append(p2p[index], framed...)
			}
		default:
			if len(broadcast)+len(p2p) == 0 {
				return nil, nil, errors.New("the party has nothing to say, and hasn't ended")
			}
			return broadcast, p2p, nil
		}
	}
}

func (b *Board) feed(ctx context.Context, party tss.Party, from int, payload []byte, isBroadcast bool) error {
	for len(payload) >= 4 {
		length := binary.BigEndian.Uint32(payload)
		if uint64(length) > uint64(len(payload)-4) {
			break
		}
		if _, failed := party.UpdateFromBytes(payload[4:4+length], b.ids[from], isBroadcast); failed != nil {
			return b.blame(ctx, failed)
		}
		payload = payload[4+length:]
	}
	if len(payload) > 0 {
		return fmt.Errorf("party %d has posted what is no list of messages: %w", from, b.session.Abort(ctx, 1, &from))
	}
	return nil
}

// blame leaves the session, and says whom tss-lib names.
func (b *Board) blame(ctx context.Context, failed *tss.Error) error {
	var about *int
	if culprits := failed.Culprits(); len(culprits) > 0 {
		about = new(int)
		*about = b.index(culprits[0])
	}
	return errors.Join(failed, b.session.Abort(ctx, 1, about))
}

func (b *Board) index(of *tss.PartyID) int {
	for i, id := range b.ids {
		if id.Id == of.Id {
			return i
		}
	}
	return -1
}
