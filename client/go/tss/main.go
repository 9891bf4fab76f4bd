// Tss makes a threshold ECDSA key with tss-lib, and signs with it:
//
//	tss keygen ADDRESS TOKEN_FILE SESSION SHARE_FILE PRE_PARAMS_FILE
//	tss sign   ADDRESS TOKEN_FILE SESSION SHARE_FILE
//
// The session's input is {"threshold": T}, so that T + 1 can sign; or {"digest": HEX}, what is to be signed. Run again after it was killed, it
// goes on.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"
	"time"

	"github.com/bnb-chain/tss-lib/v2/common"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"

	"whitecity"
)

type input struct {
	Threshold int    `json:"threshold"`
	Digest    string `json:"digest"`
}

func main() {
	if len(os.Args) < 6 {
		log.Fatal("expected keygen|sign ADDRESS TOKEN_FILE SESSION SHARE_FILE [PRE_PARAMS_FILE]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	gateway, err := whitecity.New(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	session := gateway.Session(os.Args[4])
	result, err := run(ctx, session, os.Args[1], os.Args[5:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result)
	// Now that the result is safe, nobody needs the session's keys any more.
	if err := session.Forget(ctx); err != nil {
		log.Print(err)
	}
}

func run(ctx context.Context, session *whitecity.Session, what string, files []string) (string, error) {
	wanted := input{}
	terms, err := session.Read(ctx)
	if err != nil {
		return "", err
	}
	bytes, err := hex.DecodeString(terms.Spec.Input)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(bytes, &wanted); err != nil {
		return "", err
	}
	board, err := Sit(ctx, session, terms.Spec.Roster)
	if err != nil {
		return "", err
	}
	var result []byte
	switch {
	case what == "keygen" && len(files) == 2:
		result, err = makeKey(ctx, board, wanted.Threshold, files[0], files[1])
	case what == "sign":
		result, err = sign(ctx, board, wanted.Digest, files[0])
	default:
		err = errors.New("expected keygen with PRE_PARAMS_FILE, or sign")
	}
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(result), agree(ctx, session, sha256.Sum256(result))
}

// agree finishes with the hash of the result, which the others have to have, too.
func agree(ctx context.Context, session *whitecity.Session, outcome [32]byte) error {
	finished := session.Finish(ctx, outcome)
	var failure *whitecity.Failure
	if errors.As(finished, &failure) && failure.Name != "finished" {
		return finished
	}
	end, err := session.End(ctx)
	if err != nil {
		return err
	}
	if end.Outcome != hex.EncodeToString(outcome[:]) {
		return fmt.Errorf("the others have another result: %s", end.Text)
	}
	return nil
}

// makeKey gives the public key, 65 bytes, and leaves the share in a file.
func makeKey(ctx context.Context, board *Board, threshold int, shareFile, preParamsFile string) ([]byte, error) {
	var preParams keygen.LocalPreParams
	if err := read(preParamsFile, &preParams); err != nil {
		return nil, err
	}
	parameters, err := board.Parameters(ctx, threshold)
	if err != nil {
		return nil, err
	}
	out, end := make(chan tss.Message, 4*len(board.ids)), make(chan *keygen.LocalPartySaveData, 1)
	party := keygen.NewLocalParty(parameters, out, end, preParams)
	share, err := Run(ctx, board, party, out, end)
	if err != nil {
		return nil, err
	}
	bytes, err := json.Marshal(share)
	if err != nil {
		return nil, err
	}
	return point(share.ECDSAPub.X(), share.ECDSAPub.Y()), os.WriteFile(shareFile, bytes, 0o600)
}

// sign gives the signature, r and s, 64 bytes, which verifies.
func sign(ctx context.Context, board *Board, digest, shareFile string) ([]byte, error) {
	var share keygen.LocalPartySaveData
	if err := read(shareFile, &share); err != nil {
		return nil, err
	}
	message, err := hex.DecodeString(digest)
	if err != nil || len(message) != 32 {
		return nil, fmt.Errorf("expected a digest of 32 bytes in hex: %q", digest)
	}
	parameters, err := board.Parameters(ctx, len(board.ids)-1)
	if err != nil {
		return nil, err
	}
	out, end := make(chan tss.Message, 4*len(board.ids)), make(chan *common.SignatureData, 1)
	subset := keygen.BuildLocalSaveDataSubset(share, board.sorted)
	party := signing.NewLocalParty(new(big.Int).SetBytes(message), parameters, subset, out, end)
	signed, err := Run(ctx, board, party, out, end)
	if err != nil {
		return nil, err
	}
	r, s := new(big.Int).SetBytes(signed.R), new(big.Int).SetBytes(signed.S)
	if !ecdsa.Verify(share.ECDSAPub.ToECDSAPubKey(), message, r, s) {
		return nil, errors.New("the signature doesn't verify")
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
}

func point(x, y *big.Int) []byte {
	return append([]byte{4}, append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)...)
}

func read(file string, into any) error {
	bytes, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, into)
}
