#!/bin/sh
# with-site-settings.sh COMMAND...: run COMMAND with what the build was given of the site: a CA bundle, a pip.conf. They
# are build secrets, so nothing of them stays in a layer; without them this only runs COMMAND.
set -eu
if [ -s /run/secrets/ca_bundle ]; then
  export PIP_CERT=/run/secrets/ca_bundle SSL_CERT_FILE=/run/secrets/ca_bundle
fi
if [ -s /run/secrets/pip_conf ]; then
  export PIP_CONFIG_FILE=/run/secrets/pip_conf
fi
exec "$@"
