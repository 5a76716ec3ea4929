// Invitation: lets one more server into the pool, once and not for long.
//
// Its text is bfj-<id>-<secret>-<fingerprint of the pool's authority>: by the last part the new server knows
// whom it talks to before it shows the rest. The store has a digest of the secret only. Errors: 401 with a
// text for each reason, 503 where the store does not answer.
#pragma once

#include <ctime>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace bitfusion::identity {

constexpr std::time_t kInvitationSeconds = 3600;

Result<std::string> make_invitation(store::Store& store, const std::string& authority_fingerprint,
                                    std::time_t expires);
// Good once: whoever takes it first has it.
Status take_invitation(store::Store& store, const std::string& text, std::time_t now);
// The authority's fingerprint in it; fails where the text has not the form of an invitation.
Result<std::string> fingerprint_in(const std::string& text);

}  // namespace bitfusion::identity
