# shellcheck shell=bash
# shellcheck disable=SC2154 # `architecture` is set by those that use this
# Container images without a container engine: `docker load` and `ctr images import` take what is made here.

# add_image ARCHIVE NAME ENTRYPOINT ROOT [VARIABLE]: adds an image of one layer, the content of the directory ROOT, to
# the archive directory. ENTRYPOINT is a JSON array, or null; VARIABLE is one more NAME=VALUE of its environment.
# `architecture` says for which architecture.
add_image() {
  local archive=$1 name=$2 entrypoint=$3 from=$4 variable=${5:-} layer config id
  mkdir -p "$archive"
  tar -C "$from" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$archive/layer.tar" .
  layer=$(sha256sum "$archive/layer.tar" | cut -d' ' -f1)
  mv "$archive/layer.tar" "$archive/$layer.tar"
  config=$(printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Env":[%s],"Entrypoint":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}' \
    "$architecture" "\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"${variable:+,\"$variable\"}" \
    "$entrypoint" "$layer")
  id=$(printf '%s' "$config" | sha256sum | cut -d' ' -f1)
  printf '%s' "$config" >"$archive/config-$id.json"
  printf '{"Config":"config-%s.json","RepoTags":["%s"],"Layers":["%s.tar"]}\n' "$id" "$name" "$layer" >>"$archive/.manifests"
  printf '"%s":{"%s":"%s"}\n' "${name%:*}" "${name##*:}" "$id" >>"$archive/.repositories"
}

# write_archive ARCHIVE FILE: the archive directory becomes a file. `kind build node-image` learns the names from
# `repositories` when it comes first; of `manifest.json` it reads one image only.
write_archive() {
  local archive=$1 file=$2
  printf '{%s}' "$(paste -sd, "$archive/.repositories")" >"$archive/repositories"
  printf '[%s]' "$(paste -sd, "$archive/.manifests")" >"$archive/manifest.json"
  (
    cd "$archive" || exit
    tar --owner=0 --group=0 --mtime=@0 -cf "$file" repositories manifest.json -- config-*.json *.tar
  )
  rm -r "$archive"
}

# stage ROOT TARGET FILE...: copies programs or libraries of a Debian tree with all that they are linked to.
stage() {
  local from=$1 to=$2 file directory
  shift 2
  for directory in bin sbin lib lib64; do
    mkdir -p "$to/usr/$directory"
    ln -sfn "usr/$directory" "$to/$directory"
  done
  for file in "$@" $(chroot "$from" ldd "$@" 2>/dev/null | grep -o '/[^ :]*\.so[^ :]*' | sort -u); do
    mkdir -p "$(dirname "$to$file")"
    [ -e "$to$file" ] || cp --dereference "$from$file" "$to$file"
  done
}
