{{- /* repository:tag@digest of {image, appVersion} */ -}}
{{- define "standin.image" -}}
{{ .image.repository }}:{{ .image.tag | default (printf "v%s" .appVersion) }}{{ with .image.digest }}@{{ . }}{{ end }}
{{- end -}}
