"""Names that commonly hold a credential, wherever they lie."""

from __future__ import annotations

from typing import Final

CREDENTIAL_NAMES: Final = frozenset(
    (
        ".env .netrc _netrc .pgpass .ssh .aws .gnupg .azure .kube .docker .wirken id_rsa id_ed25519 id_ecdsa id_dsa "
        "credentials credentials.json credentials.toml .git-credentials .vault-token .my.cnf .s3cfg .boto .htpasswd "
        ".password-store .terraformrc terraform.tfstate kubeconfig gcloud .databrickscfg rclone.conf .msmtprc "
        ".fetchmailrc secring.gpg wallet.dat shadow gshadow vault.db device.key keychains keyrings .mozilla "
        "google-chrome chromium bravesoftware microsoft-edge .thunderbird logins.json key3.db key4.db cookies.sqlite "
        "cookies .npmrc .pypirc .yarnrc.yml .dockercfg auth.json .mylogin.cnf .vault-pass .vault_pass .keystore .oci "
        ".bluemix .1password secrets.json secrets.yml secrets.yaml secrets.toml service-account.json "
        "client_secret.json .bash_history .zsh_history .python_history .psql_history .mysql_history .rediscli_history "
        ".node_repl_history .sqlite_history ssh_host_rsa_key ssh_host_ed25519_key ssh_host_ecdsa_key id_ed25519_sk "
        "id_ecdsa_sk"
    ).split()
) | {"login data", "brave-browser"}
"""Path parts, folded, that commonly hold a credential: keys, tokens, our data directory, browser profiles."""

CREDENTIAL_ENDINGS: Final = tuple(
    ".pem .key .p12 .pfx .kdbx .keystore .jks .age .ppk .ovpn .env .p8 .keytab .tfvars .tfstate".split()
)


def is_credential(part: str) -> bool:
    """Is this, folded, the name of a file or folder that commonly holds a credential?"""
    if part in CREDENTIAL_NAMES or part.startswith(".env."):
        return True
    return part.endswith(CREDENTIAL_ENDINGS) and part != "process.env"
