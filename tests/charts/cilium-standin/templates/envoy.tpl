{{- if .Values.envoy.enabled }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: cilium-envoy
  namespace: {{ .Release.Namespace }}
spec:
  selector:
    matchLabels:
      k8s-app: cilium-envoy
  updateStrategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 2
  template:
    metadata:
      labels:
        k8s-app: cilium-envoy
    spec:
      automountServiceAccountToken: false
      hostNetwork: true
      nodeSelector: {{ toJson .Values.nodeSelector }}
      tolerations:
        - operator: Exists
      containers:
        - name: cilium-envoy
          image: {{ include "standin.image" (dict "image" .Values.envoy.image "appVersion" .Chart.AppVersion) }}
{{- end }}
