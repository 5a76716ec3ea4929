#include "identity/certificate.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>

namespace bitfusion::identity {
namespace {

template <auto Free>
struct Freeing {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Freeing<BN_free>>;
using Request = std::unique_ptr<X509_REQ, Freeing<X509_REQ_free>>;
struct FreeExtensions {
    void operator()(STACK_OF(X509_EXTENSION) * list) const {
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    }
};
using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), FreeExtensions>;
using Names = std::unique_ptr<GENERAL_NAMES, Freeing<GENERAL_NAMES_free>>;

constexpr size_t kMostNames = 64;
constexpr long kDay = 24 * 3600;

tl::unexpected<Error> trouble(const std::string& what) {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return fail(what + ": " + (reason != nullptr ? reason : "OpenSSL gives no reason") +
                "; see: bitfusion help tls-certs");
}

std::string text_of(BIO* memory) {
    char* bytes = nullptr;
    const long length = BIO_get_mem_data(memory, &bytes);
    return length > 0 ? std::string(bytes, static_cast<size_t>(length)) : "";
}

Certificate certificate_from(const std::string& pem) {
    const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return Certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

struct Draft {
    Key key{EVP_EC_gen("P-256")};
    Certificate certificate{X509_new()};

    bool begin(const std::string& name, int days, std::time_t now) {
        uint8_t serial[16];
        if (key == nullptr || certificate == nullptr || RAND_bytes(serial, sizeof serial) != 1) return false;
        serial[0] = static_cast<uint8_t>((serial[0] & 0x7f) | 0x40);
        const Number number(BN_bin2bn(serial, sizeof serial, nullptr));
        X509* c = certificate.get();
        const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
        return X509_set_version(c, X509_VERSION_3) == 1 && number != nullptr &&
               BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(c)) != nullptr &&
               ASN1_TIME_set(X509_getm_notBefore(c), now - kDay) != nullptr &&
               ASN1_TIME_set(X509_getm_notAfter(c), now + days * kDay) != nullptr &&
               X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8, text, -1, -1, 0) ==
                   1 &&
               X509_set_pubkey(c, key.get()) == 1;
    }
    std::string text() const {
        const Memory memory(BIO_new(BIO_s_mem()));
        return PEM_write_bio_X509(memory.get(), certificate.get()) == 1 ? text_of(memory.get()) : "";
    }
};

std::string alternative_name(const std::string& name) {
    std::array<uint8_t, 16> address{};
    const bool ip = inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
                    inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
    return (ip ? "IP:" : "DNS:") + name;
}

std::string one_line(const X509_NAME* name) {
    const Memory memory(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253);
    return text_of(memory.get());
}

std::time_t time_of(const ASN1_TIME* time) {
    tm parts{};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
    char text[INET6_ADDRSTRLEN] = "";
    const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
    if (ASN1_STRING_length(bytes) != 4 && ASN1_STRING_length(bytes) != 16) return "?";
    inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
    return text;
}

std::vector<std::string> texts_of(const Names& names) {
    std::vector<std::string> out;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) {
            out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                             static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
        } else if (name->type == GEN_IPADD) {
            out.push_back(address_text(name->d.iPAddress));
        }
    }
    return out;
}

std::vector<std::string> names_of(X509* certificate) {
    return texts_of(Names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))));
}

// "DNS:host,IP:10.0.0.7"
Result<std::string> alternatives_of(const std::vector<std::string>& names) {
    if (names.empty()) return fail("a server's certificate needs a name or address");
    if (names.size() > kMostNames) return fail("a server has at most 64 names and addresses");
    std::string alternatives;
    for (const std::string& name : names) {
        const bool good =
            !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':';
            });
        if (!good) return fail("'" + name + "' is no host name and no address");
        alternatives += (alternatives.empty() ? "" : ",") + alternative_name(name);
    }
    return alternatives;
}

std::string key_text_of(EVP_PKEY* key) {
    const Memory text(BIO_new(BIO_s_secmem()));
    const bool written =
        PEM_write_bio_PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
    return written ? text_of(text.get()) : "";
}

Result<KeyPair> finish(const Draft& draft) {
    KeyPair pair{draft.text(), key_text_of(draft.key.get())};
    if (pair.certificate.empty() || pair.key.empty()) return trouble("cannot write a certificate");
    return pair;
}

// The draft becomes a server's certificate of this authority.
Status complete(Draft& draft, const KeyPair& authority, const std::vector<std::string>& names,
                std::time_t now) {
    const Certificate issuer = certificate_from(authority.certificate);
    const Memory key_text(BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size())));
    const Key issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    if (issuer == nullptr || issuer_key == nullptr)
        return trouble("the authority's certificate or key cannot be read");
    const auto alternatives = alternatives_of(names);
    if (!alternatives) return tl::unexpected<Error>(alternatives.error());
    X509* c = draft.certificate.get();
    if (!draft.begin(names.front().substr(0, 64), kServerDays, now) ||
        X509_set_issuer_name(c, X509_get_subject_name(issuer.get())) != 1 ||
        !add_extension(c, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(c, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
        !add_extension(c, issuer.get(), NID_ext_key_usage, "serverAuth") ||
        !add_extension(c, issuer.get(), NID_authority_key_identifier, "keyid:always") ||
        !add_extension(c, issuer.get(), NID_subject_alt_name, *alternatives) ||
        X509_sign(c, issuer_key.get(), EVP_sha256()) == 0) {
        return trouble("cannot make the server's certificate");
    }
    return {};
}

bool is_p256(const EVP_PKEY* key) {
    char group[64] = "";
    size_t length = 0;
    return key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
           std::string(group, length) == "prime256v1";
}

}  // namespace

Result<KeyPair> make_authority(const std::string& pool, std::time_t now) {
    Draft draft;
    X509* c = draft.certificate.get();
    if (!draft.begin(pool + " authority", kAuthorityDays, now) ||
        X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 ||
        !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(c, c, NID_subject_key_identifier, "hash") ||
        X509_sign(c, draft.key.get(), EVP_sha256()) == 0) {
        return trouble("cannot make the pool's authority");
    }
    return finish(draft);
}

Result<KeyPair> make_server_certificate(const KeyPair& authority, const std::vector<std::string>& names,
                                        std::time_t now) {
    Draft draft;
    if (auto made = complete(draft, authority, names, now); !made) return tl::unexpected(made.error());
    return finish(draft);
}

Result<SigningRequest> make_signing_request(const std::vector<std::string>& names) {
    const auto alternatives = alternatives_of(names);
    if (!alternatives) return tl::unexpected<Error>(alternatives.error());
    const Key key(EVP_EC_gen("P-256"));
    const Request request(X509_REQ_new());
    const Extensions extensions(sk_X509_EXTENSION_new_null());
    X509_EXTENSION* wanted =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives->c_str());
    if (key == nullptr || request == nullptr || extensions == nullptr || wanted == nullptr ||
        sk_X509_EXTENSION_push(extensions.get(), wanted) <= 0) {
        X509_EXTENSION_free(wanted);
        return trouble("cannot make a request for a certificate");
    }
    const Memory text(BIO_new(BIO_s_mem()));
    if (X509_REQ_add_extensions(request.get(), extensions.get()) != 1 ||
        X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
        X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0 ||
        PEM_write_bio_X509_REQ(text.get(), request.get()) != 1) {
        return trouble("cannot make a request for a certificate");
    }
    return SigningRequest{text_of(text.get()), key_text_of(key.get())};
}

Result<std::string> sign_request(const KeyPair& authority, const std::string& pem, std::time_t now) {
    const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const Request request(PEM_read_bio_X509_REQ(memory.get(), nullptr, nullptr, nullptr));
    Key key(request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get()));
    // Signed with its own key: whoever sends it has it.
    if (key == nullptr || !is_p256(key.get()) || X509_REQ_verify(request.get(), key.get()) != 1)
        return trouble("this is no request for a certificate with an EC P-256 key");
    const Extensions wanted(X509_REQ_get_extensions(request.get()));
    const Names names(
        static_cast<GENERAL_NAMES*>(X509V3_get_d2i(wanted.get(), NID_subject_alt_name, nullptr, nullptr)));
    Draft draft;
    draft.key = std::move(key);
    if (auto made = complete(draft, authority, texts_of(names), now); !made)
        return tl::unexpected(made.error());
    return draft.text();
}

Result<CertificateFacts> facts_of(const std::string& pem) {
    const Certificate certificate = certificate_from(pem);
    if (certificate == nullptr) return trouble("this is no certificate");
    X509* c = certificate.get();
    CertificateFacts facts;
    facts.subject = one_line(X509_get_subject_name(c));
    facts.issuer = one_line(X509_get_issuer_name(c));
    facts.names = names_of(c);
    facts.not_before = time_of(X509_get0_notBefore(c));
    facts.not_after = time_of(X509_get0_notAfter(c));
    const Number number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(c), nullptr));
    char* digits = number == nullptr ? nullptr : BN_bn2hex(number.get());
    if (digits != nullptr) facts.serial = digits;
    OPENSSL_free(digits);
    std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    X509_digest(c, EVP_sha256(), digest.data(), &length);
    constexpr char kDigits[] = "0123456789abcdef";
    for (unsigned i = 0; i < length; ++i) {
        facts.fingerprint += kDigits[digest[i] >> 4];
        facts.fingerprint += kDigits[digest[i] & 15];
    }
    return facts;
}

bool signed_by(const std::string& certificate, const std::string& authority) {
    const Certificate subject = certificate_from(certificate);
    const Certificate issuer = certificate_from(authority);
    const bool good = subject != nullptr && issuer != nullptr &&
                      X509_check_issued(issuer.get(), subject.get()) == X509_V_OK &&
                      X509_verify(subject.get(), X509_get0_pubkey(issuer.get())) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace bitfusion::identity
