// Texts that people, other servers and files hand to the command line and the manager: requests, settings,
// tokens, filters, reports, certificates, keys of connections. The first byte of the input says which. What
// is accepted and can be written is accepted again.
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "cli/credentials.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"
#include "daemon/routes.h"
#include "daemon/settings.h"
#include "fuzz/input.h"
#include "identity/certificate.h"
#include "identity/person.h"
#include "identity/token.h"
#include "link/tls_keys.h"
#include "pool/filter.h"
#include "wire/hello.h"
#include "worker/grant.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace bitfusion;
    static const bool quiet = (log::configure("off"), true);
    static_cast<void>(quiet);
    fuzz::Input input(data, size);
    const uint8_t which = input.take<uint8_t>() % 14;
    const auto rest = input.take_bytes(size);
    const std::string text(rest.begin(), rest.end());
    switch (which) {
        case 0: {
            const auto filter = pool::parse_filter(text);
            if (filter && !pool::parse_filter(pool::text_of(*filter))) abort();
            break;
        }
        case 1:
            static_cast<void>(identity::token_id(text));
            break;
        case 2:
            static_cast<void>(identity::token_from_json(text));
            break;
        case 3:
            static_cast<void>(identity::person_from_json(text));
            break;
        case 4:
            static_cast<void>(identity::session_claim(text));
            break;
        case 5:
            static_cast<void>(identity::facts_of(text));
            break;
        case 6:
            static_cast<void>(daemon::parse_report(text));
            break;
        case 7:
            static_cast<void>(daemon::lease_note_from(text));
            break;
        case 8:
            static_cast<void>(daemon::parse_lease_request(text));
            break;
        case 9:
            static_cast<void>(daemon::parse_settings_text(text, "settings.yaml"));
            break;
        case 10:
            static_cast<void>(daemon::parse_duration(text));
            static_cast<void>(daemon::parse_bytes(text));
            break;
        case 11:
            static_cast<void>(cli::parse_client_yaml(text, "client.yaml"));
            break;
        case 12:
            static_cast<void>(link::tls_state_from_text(text));
            break;
        default:
            static_cast<void>(worker::parse_grant(text));
            break;
    }
    return 0;
}
