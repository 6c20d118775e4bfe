FROM nginx:1.25-alpine
LABEL maintainer="NGINX Docker Maintainers <docker-maint@nginx.com>" \
      org.opencontainers.image.title="static site" \
      "com.example.quoted key"='single $quoted'
COPY nginx.conf /etc/nginx/nginx.conf
COPY --chmod=0644 html/ /usr/share/nginx/html/
EXPOSE 80/tcp 443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5m --timeout=3s --retries=3 \
  CMD curl -f http://localhost/ || exit 1
CMD ["nginx", "-g", "daemon off;"]
