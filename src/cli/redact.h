// Redact: takes secrets out of text that is to be passed on. Pure.
#pragma once

#include <string>

namespace bitfusion::cli {

// Without:
// - tokens and sessions of ours (bf-..., bfs-...), wherever they stand;
// - runs of 32 and more hexadecimal digits or 40 and more of base64 (tickets, keys, hashes; UUIDs stay);
// - what stands between PEM's BEGIN and END lines;
// - the name and password of an address (https://name:password@host);
// - the values after words such as token, password, secret, session and private key: `word: value`,
//   `word = value`, `--word value`; and where the value is on lines of its own, what is indented below.
// "<removed>" stands in their place. Rather too much than too little.
std::string without_secrets(const std::string& text);

}  // namespace bitfusion::cli
