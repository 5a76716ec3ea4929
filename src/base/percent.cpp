#include "base/percent.h"

// Boost.URL without its library: this file holds the compiled half of it, of which the linker keeps what is
// used.
#include <boost/url/encode.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <boost/url/src.hpp>

namespace bitfusion::base {

std::string percent_encoded(std::string_view text) {
    return boost::urls::encode({text.data(), text.size()}, boost::urls::unreserved_chars);
}

std::optional<std::string> query_decoded(std::string_view text) {
    const auto proper = boost::urls::make_pct_string_view({text.data(), text.size()});
    if (!proper) return std::nullopt;
    boost::urls::encoding_opts form;
    form.space_as_plus = true;
    return proper->decode(form);
}

}  // namespace bitfusion::base
