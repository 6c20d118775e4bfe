FROM php:8.3-fpm-alpine AS app_php
COPY --from=mlocati/php-extension-installer:2 --link /usr/bin/install-php-extensions /usr/local/bin/
RUN set -eux; \
	install-php-extensions \
		apcu \
		intl \
		opcache \
		zip \
	;
COPY --from=composer/composer:2-bin --link /composer /usr/bin/composer
# https://getcomposer.org/doc/03-cli.md#composer-allow-superuser
ENV COMPOSER_ALLOW_SUPERUSER=1
ENV PATH="${PATH}:/root/.composer/vendor/bin"
ENV APP_ENV=prod
WORKDIR /srv/app
COPY --link composer.* symfony.* ./
RUN set -eux; \
    if [ -f composer.json ]; then \
		composer install --prefer-dist --no-dev --no-autoloader --no-scripts --no-progress; \
		composer clear-cache; \
    fi
COPY --link  . ./
RUN rm -Rf docker/
VOLUME ["/srv/app/var", "/srv/app/public"]
ENTRYPOINT ["docker-entrypoint"]
CMD ["php-fpm"]
