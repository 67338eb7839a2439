// Verifies access tokens as a resource server in Go would, from nothing but a JWKS: questions on stdin, answers on stdout.
package main

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

type question struct {
	Jwks     jose.JSONWebKeySet `json:"jwks"`
	Issuer   string             `json:"issuer"`
	Audience string             `json:"audience"`
	Tokens   []string           `json:"tokens"`
}

type answer struct {
	Payload map[string]any `json:"payload,omitempty"`
	Error   string         `json:"error,omitempty"`
}

var algorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256}

func verify(q question, token string) (map[string]any, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, err
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "at+jwt" {
		return nil, errors.New("no access token")
	}
	keys := q.Jwks.Key(header.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != header.Algorithm {
		return nil, errors.New("no such key")
	}
	var claims jwt.Claims
	var payload map[string]any
	if err := parsed.Claims(keys[0].Key, &claims, &payload); err != nil {
		return nil, err
	}
	expected := jwt.Expected{Issuer: q.Issuer, AnyAudience: jwt.Audience{q.Audience}, Time: time.Now()}
	return payload, claims.ValidateWithLeeway(expected, 0)
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		panic(err)
	}
	answers := make([][]answer, len(questions))
	for i, q := range questions {
		for _, token := range q.Tokens {
			payload, err := verify(q, token)
			if err != nil {
				answers[i] = append(answers[i], answer{Error: err.Error()})
			} else {
				answers[i] = append(answers[i], answer{Payload: payload})
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
