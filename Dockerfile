# The services and the touchstone command, run from their sources: docker-compose.yml says how.
FROM node:26.10.0-slim
WORKDIR /touchstone
COPY . .
# Without --ignore-scripts packages that only development needs would build themselves.
RUN npm install --omit=dev --omit=optional --ignore-scripts --no-save \
      --workspace services/issuer --workspace services/validator --workspace services/revocation --workspace packages/cli \
  && mkdir /keys && chown node /keys
USER node
