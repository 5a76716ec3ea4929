// Secret: random bytes, keyed digests and their texts; what tokens, sessions and tickets are made of. Any
// thread. The process ends where the kernel has no random bytes to give.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace bitfusion::identity {

// `count` random bytes as text without padding, of [A-Za-z0-9_-].
std::string random_text(size_t count);
// `count` characters of a to z and 2 to 7.
std::string random_name(size_t count);
// HMAC-SHA256 as text of [A-Za-z0-9_-].
std::string keyed_digest(const std::string& key, const std::string& text);
// SHA-256 in lowercase hexadecimal digits.
std::string digest(const std::string& text);
// A UUID that is the same for the same text.
std::string uuid_of(const std::string& text);
// Takes as long for unequal texts of one length as for equal ones.
bool equal_secrets(const std::string& a, const std::string& b);

}  // namespace bitfusion::identity
