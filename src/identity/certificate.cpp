#include "identity/certificate.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
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
using Names = std::unique_ptr<GENERAL_NAMES, Freeing<GENERAL_NAMES_free>>;

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
    Result<KeyPair> finish() const {
        const Memory certificate_text(BIO_new(BIO_s_mem()));
        const Memory key_text(BIO_new(BIO_s_secmem()));
        if (PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
            PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
            return trouble("cannot write a certificate");
        }
        return KeyPair{text_of(certificate_text.get()), text_of(key_text.get())};
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

std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> out;
    const Names names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
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
    return draft.finish();
}

Result<KeyPair> make_server_certificate(const KeyPair& authority, const std::vector<std::string>& names,
                                        std::time_t now) {
    const Certificate issuer = certificate_from(authority.certificate);
    const Memory key_text(BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size())));
    const Key issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    if (issuer == nullptr || issuer_key == nullptr)
        return trouble("the authority's certificate or key cannot be read");
    if (names.empty()) return fail("a server's certificate needs a name or address");
    std::string alternatives;
    for (const std::string& name : names) {
        if (name.empty() || name.find_first_of(",\n\r ") != std::string::npos)
            return fail("'" + name + "' is no host name and no address");
        alternatives += (alternatives.empty() ? "" : ",") + alternative_name(name);
    }
    Draft draft;
    X509* c = draft.certificate.get();
    if (!draft.begin(names.front().substr(0, 64), kServerDays, now) ||
        X509_set_issuer_name(c, X509_get_subject_name(issuer.get())) != 1 ||
        !add_extension(c, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(c, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
        !add_extension(c, issuer.get(), NID_ext_key_usage, "serverAuth") ||
        !add_extension(c, issuer.get(), NID_authority_key_identifier, "keyid:always") ||
        !add_extension(c, issuer.get(), NID_subject_alt_name, alternatives) ||
        X509_sign(c, issuer_key.get(), EVP_sha256()) == 0) {
        return trouble("cannot make the server's certificate");
    }
    return draft.finish();
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
